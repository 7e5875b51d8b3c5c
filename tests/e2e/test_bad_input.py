"""What a user is told of a source that cannot be used; nothing of theirs is changed."""

import pathlib
import shutil
import zipfile

import pytest

from emotion_pipeline.cli import main
from tests.components.pictures import encode, noise, snapshot, write_data_set, write_picture

pytestmark = pytest.mark.slow


def empty_folder(folder: pathlib.Path) -> pathlib.Path:
    return folder


def one_class(folder: pathlib.Path) -> pathlib.Path:
    write_picture(folder / "train/happy/1.jpg", 1)
    write_picture(folder / "validation/happy/2.jpg", 2)
    return folder


def hardly_a_picture(folder: pathlib.Path) -> pathlib.Path:
    write_data_set(folder)
    (folder / "images/train/sad/0.jpg").write_bytes(b"")
    return folder


def zip_that_climbs_out(folder: pathlib.Path) -> pathlib.Path:
    with zipfile.ZipFile(folder / "faces.zip", "w") as opened:
        opened.writestr("train/happy/1.jpg", encode(noise(1)))
        opened.writestr("../evil.jpg", b"evil")
    return folder / "faces.zip"


def torn_zip(folder: pathlib.Path) -> pathlib.Path:
    write_data_set(folder / "faces")
    shutil.make_archive(str(folder / "faces"), "zip", folder / "faces")
    shutil.rmtree(folder / "faces")
    whole = (folder / "faces.zip").read_bytes()
    (folder / "faces.zip").write_bytes(whole[: len(whole) // 2])
    return folder / "faces.zip"


def run(source: pathlib.Path, root: pathlib.Path, capfd) -> tuple[int, str]:
    """Runs the command in this process, and returns its status and all that it printed."""
    capfd.readouterr()
    status = main(["run", "--data", str(source), "--root", str(root)])
    printed = capfd.readouterr()
    return status, printed.out + printed.err


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (empty_folder, "{source}: empty, no folder and no file in it. Expected images/train/"),
        (one_class, "{source}: 1 class(es) with usable pictures in train (happy;"),
        (hardly_a_picture, "(1 empty_file; first: images/train/sad/0.jpg), more than the limit"),
        (zip_that_climbs_out, "{source}: member '../evil.jpg' points outside the archive"),
        (torn_zip, "{source}: cannot be unpacked"),
    ],
)
def test_a_bad_source_ends_with_its_message(build, message, tmp_path, capfd):
    given = tmp_path / "given"
    given.mkdir()
    source = build(given)
    before = snapshot(tmp_path)
    status, told = run(source, tmp_path / "root", capfd)
    assert status == 1
    assert message.format(source=source) in told
    assert "Traceback" not in told
    shutil.rmtree(tmp_path / "root")
    assert snapshot(tmp_path) == before


def test_an_empty_split_a_wrong_size_and_a_missing_class_are_named(drawn, tmp_path, capfd):
    data = tmp_path / "data"
    shutil.copytree(drawn / "images" / "train", data / "train")
    shutil.rmtree(data / "train" / "disgust")
    (data / "train" / "sad" / "large é.png").write_bytes(encode(noise(1, 64), ".png"))
    (data / "validation" / "sad").mkdir(parents=True)
    (data / "validation" / "sad" / "torn.jpg").write_bytes(encode(noise(2))[:500])
    before = snapshot(data)
    status, told = run(data, tmp_path / "root", capfd)
    assert status == 4
    for line in (
        "The split is empty: of 1 files none is kept.\n  in validation/sad/torn.jpg\n",
        "No picture of disgust.\n",
        "in train/sad/large é.png\n  what to do: crop or resize the pictures to 48x48 pixels",
    ):
        assert line in told
    assert "Traceback" not in told
    assert snapshot(data) == before
