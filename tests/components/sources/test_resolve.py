import multiprocessing
import os
import pathlib
import shutil
import signal
import time
import zipfile

import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources import archive, packed, resolve, sample_data
from tests.components.pictures import snapshot, write_data_set, write_picture


def pack(folder: pathlib.Path, file: pathlib.Path) -> pathlib.Path:
    with zipfile.ZipFile(file, "w") as opened:
        for path in sorted(folder.rglob("*")):
            opened.write(path, path.relative_to(folder))
    return file


def files(root: pathlib.Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def redundant_set(tmp_path):
    """A data set with a nested copy of its tree, one file of which differs and one has no twin."""
    root = tmp_path / "faces"
    write_data_set(root)
    for path in sorted((root / "images").rglob("*.jpg")):
        nested = root / "images" / path.relative_to(root)
        nested.parent.mkdir(parents=True, exist_ok=True)
        nested.write_bytes(path.read_bytes())
    write_picture(root / "images/images/train/happy/1.jpg", seed=100)
    write_picture(root / "images/images/train/happy/only-here.jpg", seed=101)
    return root


def test_leaves_a_folder_of_the_users_as_it_is(redundant_set, tmp_path):
    before = snapshot(redundant_set)
    source = resolve.resolve_source(str(redundant_set), tmp_path / "cache")
    assert source == resolve.DataSource(root=redundant_set)
    assert snapshot(redundant_set) == before
    assert not (tmp_path / "cache").exists()


def test_deletes_only_true_repeats_from_its_own_copy(redundant_set, tmp_path):
    zip_file = pack(redundant_set, tmp_path / "faces.zip")
    source = resolve.resolve_source(str(zip_file), tmp_path / "cache")
    assert {file.path for file in source.removed} == {
        "images/images/train/happy/2.jpg",
        "images/images/train/sad/3.jpg",
        "images/images/train/sad/4.jpg",
        "images/images/validation/happy/5.jpg",
        "images/images/validation/sad/6.jpg",
    }
    assert files(source.root) == files(redundant_set) - {file.path for file in source.removed}
    assert not (source.root / "images/images/validation").exists()


def test_unpacks_a_zip_once(redundant_set, tmp_path, monkeypatch):
    zip_file = pack(redundant_set, tmp_path / "faces.zip")
    first = resolve.resolve_source(str(zip_file), tmp_path / "cache")

    def refuse(*_):
        raise AssertionError("unpacked again")

    monkeypatch.setattr(packed, "unpack", refuse)
    assert resolve.resolve_source(str(zip_file), tmp_path / "cache") == first
    os.utime(zip_file, ns=(0, 0))
    with pytest.raises(AssertionError, match="unpacked again"):
        resolve.resolve_source(str(zip_file), tmp_path / "cache")


def test_names_the_zip_when_it_holds_no_classes(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/read.me").write_text("nothing")
    (tmp_path / "notes/two").mkdir()
    (tmp_path / "notes/three").mkdir()
    zip_file = pack(tmp_path / "notes", tmp_path / "faces.zip")
    with pytest.raises(UserError, match="no class folders found") as caught:
        resolve.resolve_source(str(zip_file), tmp_path / "cache")
    assert str(caught.value).startswith(str(zip_file))
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def _unpack_slowly(zip_file: str, cache_dir: pathlib.Path) -> None:
    def crawl(done: int, total: int) -> None:
        time.sleep(0.05)

    unpack = archive.unpack
    packed.unpack = lambda file, folder, progress: unpack(file, folder, crawl)
    resolve.resolve_source(zip_file, cache_dir)


def test_is_not_fooled_by_a_copy_that_was_killed(tmp_path):
    faces, cache = tmp_path / "faces", tmp_path / "cache"
    for number in range(100):
        write_picture(faces / "train/happy" / f"{number}.jpg", seed=number)
    write_picture(faces / "train/sad/1.jpg", seed=200)
    write_picture(faces / "test/sad/1.jpg", seed=201)
    zip_file = pack(faces, tmp_path / "faces.zip")
    process = multiprocessing.get_context("fork").Process(
        target=_unpack_slowly, args=(str(zip_file), cache)
    )
    process.start()
    while not list(cache.glob(".*.partial/data/train/happy/*.jpg")):
        assert process.is_alive()
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert list(cache.glob(".*.partial"))
    assert [path for path in cache.iterdir() if not path.name.startswith(".")] == []
    source = resolve.resolve_source(str(zip_file), cache)
    assert files(source.root) == files(faces)
    assert not list(cache.glob(".*.partial"))


def test_draws_the_sample(tmp_path):
    source = resolve.resolve_source("sample", tmp_path / "cache")
    assert len(files(source.root)) == sample_data.DEFAULT_IMAGES
    assert len(source.removed) == sample_data.DEFAULT_IMAGES


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no/such", "no/such: no such file or folder"),
        ("https://example.com/faces.zip", "not the address of a Kaggle data set"),
        ("kaggle:nothing", "not the address of a Kaggle data set"),
    ],
)
def test_refuses_unknown_sources(tmp_path, source, message):
    with pytest.raises(UserError, match=message) as caught:
        resolve.resolve_source(source, tmp_path)
    assert "Give a folder of pictures, a .zip or .tar.gz" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("faces.rar", "faces.rar: a file, but no .zip, no .tar and no table of pixels"),
        ("faces.tar", "faces.tar: cannot be unpacked"),
        ("faces.tar.gz", "faces.tar.gz: cannot be unpacked"),
        ("faces.csv", "faces.csv: has the columns what is this; expected emotion and pixels"),
    ],
)
def test_refuses_a_file_that_is_no_data_set(tmp_path, name, message):
    file = tmp_path / name
    file.write_bytes(b"what is this")
    with pytest.raises(UserError, match=message):
        resolve.resolve_source(str(file), tmp_path / "cache")


def test_opens_an_archive_in_an_archive(tmp_path):
    write_data_set(tmp_path / "faces")
    inner = shutil.make_archive(str(tmp_path / "in/inner"), "gztar", tmp_path / "faces")
    outer = pathlib.Path(shutil.make_archive(str(tmp_path / "outer"), "zip", tmp_path / "in"))
    source = resolve.resolve_source(str(outer), tmp_path / "cache")
    assert files(source.root) == files(tmp_path / "faces")

    pathlib.Path(inner).with_name("torn.zip").write_bytes(outer.read_bytes()[:-30])
    pathlib.Path(inner).unlink()
    broken = pathlib.Path(shutil.make_archive(str(tmp_path / "broken"), "zip", tmp_path / "in"))
    with pytest.raises(
        UserError, match=r"broken\.zip: no class folders found; it holds .*torn.zip"
    ):
        resolve.resolve_source(str(broken), tmp_path / "cache")


def test_what_lies_beside_an_inner_archive_is_told(tmp_path, caplog):
    write_data_set(tmp_path / "faces")
    shutil.make_archive(str(tmp_path / "in/inner"), "zip", tmp_path / "faces")
    (tmp_path / "in/extra.jpg").write_bytes(b"loose")
    outer = shutil.make_archive(str(tmp_path / "outer"), "zip", tmp_path / "in")
    with caplog.at_level("INFO", "emotion"):
        resolve.resolve_source(outer, tmp_path / "cache")
    told = "outer.zip: inner.zip in it is read alone, and not what lies beside: extra.jpg"
    assert told in caplog.text


def test_names_several_archives_in_one(tmp_path):
    write_data_set(tmp_path / "faces")
    for name in ("one", "two"):
        shutil.make_archive(str(tmp_path / "in" / name), "zip", tmp_path / "faces")
    outer = shutil.make_archive(str(tmp_path / "outer"), "zip", tmp_path / "in")
    with pytest.raises(
        UserError, match=r"outer.zip: holds 2 archives and no class.*: one.zip, two"
    ):
        resolve.resolve_source(outer, tmp_path / "cache")


def test_takes_a_folder_with_a_table_for_the_table(tmp_path):
    folder = tmp_path / "challenge" / "fer2013"
    folder.mkdir(parents=True)
    rows = ["emotion,pixels,Usage"]
    for index, usage in enumerate(("Training", "PublicTest")):
        rows += [f"{label},{index} {label} 2 3,{usage}" for label in (0, 3)]
    (folder / "fer2013.csv").write_text("\n".join(rows))
    (folder / "README").write_text("pictures")
    before = snapshot(folder)
    source = resolve.resolve_source(str(folder.parent), tmp_path / "cache")
    assert files(source.root) == {
        "train/angry/000001.png",
        "train/happy/000002.png",
        "validation/angry/000003.png",
        "validation/happy/000004.png",
    }
    assert snapshot(folder) == before
    first = resolve.fingerprint_source(str(folder.parent))
    os.utime(folder / "fer2013.csv", ns=(1, 1))
    assert resolve.fingerprint_source(str(folder.parent)) != first


def test_fingerprint_follows_what_links_lead_to(tmp_path):
    write_data_set(tmp_path / "faces")
    happy = tmp_path / "faces/images/train/happy"
    happy.rename(tmp_path / "elsewhere")
    happy.symlink_to(tmp_path / "elsewhere")
    picture = tmp_path / "elsewhere/1.jpg"
    picture.rename(tmp_path / "single.jpg")
    picture.symlink_to(tmp_path / "single.jpg")
    seen = {resolve.fingerprint_source(str(tmp_path / "faces"))}
    os.utime(tmp_path / "elsewhere/2.jpg", ns=(1, 1))
    seen.add(resolve.fingerprint_source(str(tmp_path / "faces")))
    os.utime(tmp_path / "single.jpg", ns=(1, 1))
    seen.add(resolve.fingerprint_source(str(tmp_path / "faces")))
    assert len(seen) == 3


def test_fingerprint_follows_the_folder(tmp_path):
    faces = tmp_path / "faces"
    write_data_set(faces)
    picture = faces / "images/train/happy/1.jpg"
    first = resolve.fingerprint_source(str(faces))
    assert resolve.fingerprint_source(f"{faces}/") == first
    seen = {first}

    os.utime(picture, ns=(1, 1))
    seen.add(resolve.fingerprint_source(str(faces)))
    picture.rename(picture.with_name("0.jpg"))
    seen.add(resolve.fingerprint_source(str(faces)))
    picture.with_name("0.jpg").unlink()
    seen.add(resolve.fingerprint_source(str(faces)))
    assert len(seen) == 4


def test_fingerprint_of_a_copy_does_not_depend_on_its_being_made(tmp_path):
    write_data_set(tmp_path / "faces")
    zip_file = pack(tmp_path / "faces", tmp_path / "faces.zip")
    before = resolve.fingerprint_source(str(zip_file))
    resolve.resolve_source(str(zip_file), tmp_path / "cache")
    assert resolve.fingerprint_source(str(zip_file)) == before
    os.utime(zip_file, ns=(1, 1))
    assert resolve.fingerprint_source(str(zip_file)) != before
