"""Pipes and devices in the place of a picture or film, and files larger than any picture."""

import os
import pathlib

import pytest
from PIL import Image

from emotion_faces import regular_file
from emotion_faces.annotate import run
from emotion_faces.annotate.explain_files import explain_files
from emotion_faces.faces.detector import CenterFace
from emotion_faces.predict import predict_files
from tests.serving.fakes import BrightnessClassifier

NO_FILE = "can't be read: it is a pipe or a device, not a file"


class NothingAsked:
    def predict(self, images):
        assert not images
        return []


@pytest.fixture(params=["photo.jpg", "film.mp4", "thing"])
def no_files(request, tmp_path):
    """A pipe that nobody writes to, and a device without an end, under the name of a picture, a film, and neither."""
    pipe = tmp_path / "pipe" / request.param
    device = tmp_path / "device" / request.param
    for path in (pipe, device):
        path.parent.mkdir()
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    return [pipe, device]


def test_predict_names_them(no_files):
    answers = predict_files(no_files, NothingAsked())
    assert answers == [{"path": str(path), "error": NO_FILE} for path in no_files]


def test_annotate_names_them(no_files, tmp_path, monkeypatch):
    import contextlib

    fake = contextlib.nullcontext(BrightnessClassifier())
    monkeypatch.setattr(run.local_server, "connect", lambda server, model_dir, tls_ca: fake)
    for number, path in enumerate(no_files):
        done = run.annotate([path], tmp_path / f"out{number}")
        assert done.failures == [(str(path), f"{path} {NO_FILE}")]


def test_explain_names_them(no_files, tmp_path, capsys):
    for number, path in enumerate(no_files):
        out = tmp_path / f"out{number}"
        assert explain_files([path], out, CenterFace(), BrightnessClassifier()).failed
        assert capsys.readouterr().err == f"{path} {NO_FILE}\n"


def test_a_file_larger_than_any_picture_is_not_read(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.new("L", (48, 48)).save(path)
    with path.open("r+b") as file:
        file.truncate(regular_file.MAX_PICTURE_FILE_BYTES + 1)  # takes no room
    [answer] = predict_files([path], NothingAsked())
    assert answer["error"] == (
        "can't be read: it has 536,870,913 bytes, and a picture 536,870,912 at most"
    )


def test_a_copy_that_cannot_be_written_is_told_and_the_rest_is_done(tmp_path, astronaut, capsys):
    """A name that is too long with what explain adds to it."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a" * 250 + ".png", "b.png"):
        Image.fromarray(astronaut).save(folder / name)
    done = explain_files([folder], tmp_path / "out", CenterFace(), BrightnessClassifier())
    assert done.failed
    assert [pathlib.Path(face["path"]).name for face in done.faces] == ["b.png"]
    assert "its picture can't be written: File name too long" in capsys.readouterr().err
