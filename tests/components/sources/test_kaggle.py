"""Kaggle's REST API, and the real `opendatasets` with its client, led to a server on the loopback."""

import io
import json
import pathlib
import zipfile

import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources import kaggle
from emotion_pipeline.components.sources.resolve import fingerprint_source, resolve_source
from tests.components.pictures import encode, noise
from tests.components.sources.fake_kaggle import serve_kaggle

REFERENCE = "some-one/face.set"
KEY = {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "secret"}
MEMBERS = {
    f"{outer}/{split}/{label}/1.jpg": encode(noise(seed))
    for outer in ("images", "images/images")
    for seed, (split, label) in enumerate(
        [("train", "happy"), ("train", "sad"), ("validation", "happy"), ("validation", "sad")]
    )
}


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, data in MEMBERS.items():
            opened.writestr(name, data)
    return buffer.getvalue()


VIEW = f"/api/v1/datasets/view/{REFERENCE} Basic bWU6c2VjcmV0"  # 'me:secret' in base 64


def download(version: int) -> str:
    path = f"/api/v1/datasets/download/{REFERENCE}?datasetVersionNumber={version}"
    return f"{path} Basic bWU6c2VjcmV0"


def test_fetches_a_version_once(tmp_path):
    with serve_kaggle(zipped()) as (environ, requests):
        source = resolve_source(f"kaggle:{REFERENCE}", tmp_path / "cache", {**environ, **KEY})
        again = resolve_source(f"kaggle:{REFERENCE}", tmp_path / "cache", {**environ, **KEY})
    found = {path.relative_to(source.root).as_posix() for path in source.root.rglob("*.jpg")}
    assert found == {name for name in MEMBERS if "images/images" not in name}
    assert {file.path for file in source.removed} == {
        name for name in MEMBERS if "images/images" in name
    }
    assert again == source
    assert requests == [VIEW, download(3), VIEW]


def test_an_update_is_noticed_and_a_version_can_be_asked_for(tmp_path, caplog):
    roots = []
    for version in (3, 4):
        with serve_kaggle(zipped(), version=version) as (environ, requests):
            environ = {**environ, **KEY}
            roots.append(resolve_source(f"kaggle:{REFERENCE}", tmp_path / "cache", environ).root)
            assert requests == [VIEW, download(version)]
            asked = resolve_source(f"kaggle:{REFERENCE}/versions/3", tmp_path / "cache", environ)
            assert asked.root == roots[0]
            assert requests == [VIEW, download(version)]
    assert roots[0] != roots[1]
    # Nobody answers any more: the newest copy is used, and that is said.
    with caplog.at_level("INFO", logger="emotion"):
        offline = resolve_source(f"kaggle:{REFERENCE}", tmp_path / "cache", environ)
    assert offline.root == roots[1]
    assert f"{REFERENCE}: its version 4 here is used; Kaggle was not asked" in caplog.text


def test_the_fingerprint_knows_the_version(tmp_path, monkeypatch):
    found = []
    for version in (3, 4, 4):
        with serve_kaggle(zipped(), version=version) as (environ, _):
            for name, value in {**environ, **KEY}.items():
                monkeypatch.setenv(name, value)
            found.append(fingerprint_source(f"kaggle:{REFERENCE}"))
    assert found[0] != found[1] == found[2]


@pytest.mark.parametrize("way", ["kaggle:", "opendatasets:kaggle:"])
def test_a_zip_that_leaves_its_folder_is_refused(tmp_path, way):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("images/train/happy/1.jpg", b"x")
        opened.writestr("../../../outside.jpg", b"x")
    with (
        serve_kaggle(buffer.getvalue()) as (environ, _),
        pytest.raises(UserError, match="points outside the archive"),
    ):
        resolve_source(f"{way}{REFERENCE}", tmp_path / "cache", {**environ, **KEY})
    assert list(tmp_path.rglob("*.jpg")) == []


def test_opendatasets_is_one_way(tmp_path):
    with serve_kaggle(zipped()) as (environ, requests):
        environ = {**environ, **KEY}
        source = resolve_source(f"opendatasets:kaggle:{REFERENCE}", tmp_path / "cache", environ)
        with pytest.raises(UserError, match="opendatasets knows no versions"):
            resolve_source(
                f"opendatasets:kaggle:{REFERENCE}/versions/1", tmp_path / "cache", environ
            )
    found = {path.relative_to(source.root).as_posix() for path in source.root.rglob("*.jpg")}
    assert found == {f"face.set/{name}" for name in MEMBERS if "images/images" not in name}
    assert requests == [
        "http://localhost/api/v1/datasets/download/some-one/face.set?raw=false Basic bWU6c2VjcmV0"
    ]


def test_the_key_goes_to_no_open_address(tmp_path):
    environ = {**KEY, "KAGGLE_API_ENDPOINT": "http://example.com"}
    with pytest.raises(UserError, match="must be https://, or the key could be read"):
        resolve_source(f"kaggle:{REFERENCE}", tmp_path / "cache", environ)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"status": 401}, r"does not accept the key of 'me' \(from KAGGLE_USERNAME and KAGGLE_KEY"),
        ({"status": 403}, r"does not let 'me' have some-one/face.set \(status 403\)"),
        ({"status": 404}, r"has no data set some-one/face.set \(status 404\)"),
        ({"status": 500}, r"broke off or could not begin \(500 Internal Server Error"),
        ({"cut_at": 1000}, r"broke off or could not begin"),
    ],
)
@pytest.mark.parametrize("version", ["", "/versions/2"])
def test_tells_what_kaggle_refused_and_keeps_nothing(tmp_path, answer, message, version):
    with (
        serve_kaggle(zipped(), **answer) as (environ, _),
        pytest.raises(UserError, match=message) as caught,
    ):
        resolve_source(f"kaggle:{REFERENCE}{version}", tmp_path / "cache", {**environ, **KEY})
    assert "https://www.kaggle.com" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert [path for path in (tmp_path / "cache").glob("*") if path.is_dir()] == []


def test_tells_when_kaggle_sends_no_zip(tmp_path):
    with (
        serve_kaggle(b"<html>maintenance</html>") as (environ, _),
        pytest.raises(UserError, match=r"broke off or could not begin \(what came is no whole zip"),
    ):
        resolve_source(f"kaggle:{REFERENCE}", tmp_path / "cache", {**environ, **KEY})


@pytest.mark.parametrize(
    ("source", "reference"),
    [
        ("kaggle:owner/name", "owner/name"),
        ("kaggle:owner/name/versions/12", "owner/name"),
        ("https://www.kaggle.com/datasets/owner/name/versions/2", "owner/name"),
        ("kaggle:owner/name/versions/0", None),
        ("kaggle:owner/name/versions/x", None),
        ("https://www.kaggle.com/datasets/owner/na-me_1.x", "owner/na-me_1.x"),
        ("http://kaggle.com/owner/name/", "owner/name"),
        ("https://www.kaggle.com/datasets/owner/name?select=images", "owner/name"),
        ("kaggle:owner", None),
        ("kaggle:../name", None),
        ("kaggle:owner/..", None),
        ("https://example.com/datasets/owner/name", None),
        ("https://kaggle.com.example.com/owner/name", None),
        ("owner/name", None),
    ],
)
def test_reads_references(source, reference):
    assert kaggle.parse_reference(source) == reference


def write_key(folder: pathlib.Path, content: object) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kaggle.json").write_text(json.dumps(content))
    return folder


def test_prefers_the_environment_then_the_nearest_file(tmp_path):
    def username(environ):
        environ = {"HOME": str(tmp_path / "home"), **environ}
        return kaggle.find_credentials(environ, tmp_path / "work").username

    write_key(tmp_path / "home/.config/kaggle", {"username": "config", "key": "k"})
    assert username({}) == "config"
    write_key(tmp_path / "home/.kaggle", {"username": "home", "key": "k"})
    assert username({}) == "home"
    write_key(tmp_path / "work", {"username": "work", "key": "k"})
    assert username({}) == "work"
    write_key(tmp_path / "dir", {"username": "dir", "key": "k"})
    assert username({"KAGGLE_CONFIG_DIR": str(tmp_path / "dir")}) == "dir"
    assert username({"KAGGLE_CONFIG_DIR": str(tmp_path / "dir"), **KEY}) == "me"


def test_says_how_to_get_a_key_where_there_is_none(tmp_path):
    with pytest.raises(UserError, match=r"(?s)No Kaggle key found.*Create New Token") as caught:
        kaggle.find_credentials({"HOME": str(tmp_path)}, tmp_path)
    assert f"{tmp_path}/.kaggle" in str(caught.value)


@pytest.mark.parametrize("content", [[], {"username": "me"}, "text"])
def test_names_a_key_file_that_is_none(tmp_path, content):
    write_key(tmp_path, content)
    with pytest.raises(UserError, match="not a Kaggle key") as caught:
        kaggle.find_credentials({"HOME": str(tmp_path)}, tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/kaggle.json")


def test_never_shows_the_key():
    assert "secret" not in repr(kaggle.Credentials("me", "secret", "somewhere"))
