"""What `emotion web --static` writes, and what it writes nothing for."""

import base64
import hashlib
import io
import json
import re
import resource
import sys
import tarfile
import zipfile

import pytest

from emotion_faces import cli, shipped
from emotion_faces.errors import UserError
from emotion_faces.web import onnxruntime_web, static_page

IMPORTED = re.compile(r'(?:from|import\(|new URL\()\s*"([^"]+)"')
ADDRESSES = re.compile(r'(?:href|src)="([^"#]+)"')


@pytest.fixture(scope="module")
def model_dir():
    return shipped.find_model("specified").folder


@pytest.fixture
def runtime(monkeypatch):
    """Stands for the runtime's files where they are not what is looked at."""
    files = {name: name.encode() for name in onnxruntime_web.FILES}
    monkeypatch.setattr(static_page, "runtime_files", lambda: files)


@pytest.fixture
def page(tmp_path, model_dir, runtime):
    return static_page.write_static_page(tmp_path / "sites" / "page", model_dir)


def test_every_file_that_a_file_names_is_there_by_a_relative_address(page):
    names = {path.name for path in page.folder.iterdir()}
    for path in page.folder.glob("*.[jh][st]*"):
        text = path.read_text(encoding="utf-8")
        named = IMPORTED.findall(text) + ADDRESSES.findall(text)
        assert {name.removeprefix("./") for name in named if name != "api/card"} <= names, path
    assert 'href="api/card"' not in (page.folder / "index.html").read_text(encoding="utf-8")
    assert page.size == sum(path.stat().st_size for path in page.folder.iterdir())
    facts = json.loads((page.folder / "page.json").read_text())["facts"]
    assert (facts["network"], facts["unsure_below"]) == ("specified", 0.0)
    assert "MIT License" in (page.folder / "NOTICE.txt").read_text()


def test_only_where_answers_come_from_differs_from_the_page_with_a_server():
    static, in_browser = static_page.SOURCES
    assert {path.name for path in static.iterdir()} & {
        path.name for path in in_browser.iterdir()
    } == {"source.js"}
    exported = [
        re.findall(r"^export .*?(\w+)(?: =|\()", (folder / "source.js").read_text(), re.MULTILINE)
        for folder in (static, in_browser)
    ]
    assert sorted(exported[0]) == sorted(exported[1]) == ["call", "hasServer", "where"]


def test_the_page_is_written_anew_and_what_it_no_longer_has_is_gone(page, model_dir):
    files = page.folder / static_page.LIST_FILE
    before = {path.name: path.read_bytes() for path in page.folder.iterdir()}
    (page.folder / "earlier.js").write_text("of an earlier version")
    known = json.loads(files.read_text())
    files.write_text(
        json.dumps(known | {"earlier.js": hashlib.sha256(b"of an earlier version").hexdigest()})
    )
    static_page.write_static_page(page.folder, model_dir)
    assert {path.name: path.read_bytes() for path in page.folder.iterdir()} == before


@pytest.mark.parametrize("kind", ["another", "changed", "folder"])
def test_a_folder_with_something_of_the_users_is_left_as_it_is(page, model_dir, kind):
    mine = page.folder / ("page.css" if kind == "changed" else "mine")
    if kind == "folder":
        mine.mkdir()
    else:
        mine.write_text("mine")
    before = {path.name: path.stat().st_mtime_ns for path in page.folder.iterdir()}
    with pytest.raises(UserError, match=rf"has {mine.name}, which is not as an earlier page left"):
        static_page.write_static_page(page.folder, model_dir)
    assert {path.name: path.stat().st_mtime_ns for path in page.folder.iterdir()} == before


def test_a_file_in_the_folders_place_and_others_files_are_refused(tmp_path, model_dir, runtime):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        static_page.write_static_page(tmp_path / "file", model_dir)
    for content in ('["file"]', "[" * 9**5):
        (tmp_path / static_page.LIST_FILE).write_text(content)
        with pytest.raises(UserError, match=r"has \w+(\.json)?, which is not as an earlier page"):
            static_page.write_static_page(tmp_path, model_dir)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_disk_without_room_is_told_with_the_file_and_leaves_no_part(tmp_path, model_dir, runtime):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))  # Python passes over SIGXFSZ
    try:
        with pytest.raises(UserError, match=r"/page/\S+ can't be written: File too large"):
            static_page.write_static_page(tmp_path / "page", model_dir)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list((tmp_path / "page").glob("*.part"))


def test_a_model_without_its_onnx_file_is_refused(tmp_path, runtime):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(UserError, match=r"has no assets.extra/model.onnx, which a browser needs"):
        static_page.write_static_page(tmp_path / "page", tmp_path)
    assert not (tmp_path / "page").exists()


def test_the_command_says_what_it_wrote_and_takes_no_server(tmp_path, runtime, capsys):
    folder = tmp_path / "page"
    assert cli.main(["web", "--static", str(folder), "--model", "specified"]) == 0
    said = capsys.readouterr().out
    assert f"{folder}: the page with the model specified, version" in said
    assert cli.main(["web", "--static", str(folder), "--server", "127.0.0.1:8500"]) == 2
    assert "name --model or --model-dir, not --server" in capsys.readouterr().err
    both = ["--model", "specified", "--model-dir", str(tmp_path)]
    assert cli.main(["web", "--static", str(folder), *both]) == 2


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A package of the registry, small and of other files, and an npm that gives it."""
    bodies = {name: f"// {name}".encode() for name in onnxruntime_web.FILES}
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, (inside, _) in onnxruntime_web.FILES.items():
            entry = tarfile.TarInfo(f"package/dist/{inside}")
            entry.size = len(bodies[name])
            archive.addfile(entry, io.BytesIO(bodies[name]))
    data = file.getvalue()
    given = tmp_path / "given.tgz"
    given.write_bytes(data)
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(
        f"#!{sys.executable}\nimport shutil, sys\n"
        "name, _, version = sys.argv[-1].partition('@')\n"
        f"shutil.copy({str(given)!r}, f'{{name}}-{{version}}.tgz')\n"
    )
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(npm.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    monkeypatch.setattr(onnxruntime_web, "INTEGRITY", integrity)
    digests = {
        name: (inside, hashlib.sha256(bodies[name]).hexdigest())
        for name, (inside, _) in onnxruntime_web.FILES.items()
    }
    monkeypatch.setattr(onnxruntime_web, "FILES", digests)
    return given, bodies, tmp_path / "none.zip"


def test_the_runtime_is_fetched_once_and_told(package, capsys):
    given, bodies, none = package
    assert onnxruntime_web.runtime_files(none) == bodies
    assert "fetching onnxruntime-web" in capsys.readouterr().err
    given.unlink()
    assert onnxruntime_web.runtime_files(none) == bodies
    assert capsys.readouterr().err == ""


def test_another_package_and_another_cache_are_not_believed(package, capsys):
    given, bodies, none = package
    onnxruntime_web.runtime_files(none)
    (cached,) = (given.parent / "cache").glob("*/*.zip")
    with zipfile.ZipFile(cached, "w") as archive:
        for name in bodies:
            archive.writestr(name, "something else")
    assert onnxruntime_web.runtime_files(none) == bodies
    assert "fetching" in capsys.readouterr().err
    with pytest.raises(UserError, match="is damaged: install emotion-faces anew"):
        onnxruntime_web.runtime_files(given)
    cached.unlink()
    given.write_bytes(given.read_bytes() + b"\0")
    with pytest.raises(UserError, match="is another file: sha512-"):
        onnxruntime_web.runtime_files(none)
    assert not cached.exists()


def test_a_registry_that_gives_nothing_is_told_in_one_line(package):
    given, _, none = package
    given.unlink()
    with pytest.raises(UserError, match=r"cannot be fetched from the npm registry \(.*given.tgz"):
        onnxruntime_web.runtime_files(none)


def test_without_npm_it_is_told_what_is_missing_and_what_has_the_runtime(package, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="npm, which is not on PATH: install npm; a release of"):
        onnxruntime_web.runtime_files(package[2])
