from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from emotion_faces import explain
from emotion_faces.annotate.draw_why import draw_why
from emotion_faces.annotate.explain_files import explain_files
from emotion_faces.annotate.faces import FaceEmotion
from emotion_faces.answers import Prediction
from emotion_faces.cli import main
from emotion_faces.emotions import Emotions
from emotion_faces.errors import UserError
from emotion_faces.faces.detector import FaceBox
from tests.serving.fakes import BrightnessClassifier
from tests.serving.films import write_film

CORNER = slice(28, 36), slice(8, 16)


class CornerClassifier:
    """Looks at eight pixels by eight, rows 28 to 35 and columns 8 to 15: the brighter, the happier."""

    def predict_pixels(self, pixels):
        values = pixels[(slice(None), *CORNER, 0)].mean(axis=(1, 2)).tolist()
        return [
            Prediction("happy" if value > 0.5 else "sad", {"happy": value, "sad": 1 - value}, 3)
            for value in values
        ]


def face_with_a_bright_corner():
    pixels = np.zeros((48, 48, 1), np.float32)
    pixels[CORNER] = 1
    return pixels


@pytest.fixture
def photograph(tmp_path, astronaut):
    path = tmp_path / "astronaut.png"
    Image.fromarray(astronaut).save(path)
    return path


def test_covers_reach_every_pixel_as_often_in_the_middle_as_at_the_edge():
    covers = explain.make_covers(12)
    assert covers.shape == (14 * 14, 48, 48)
    # A pixel is in three covers by row and three by column, wherever it is.
    assert set(covers.sum(axis=0).ravel().tolist()) == {9}
    assert covers[0].sum() == 4 * 4
    assert covers[14 * 5 + 5].sum() == 12 * 12


def test_falls_are_where_the_model_looks_and_nowhere_else():
    falls = explain.probability_falls(face_with_a_bright_corner(), CornerClassifier(), "happy")
    rows, columns = np.nonzero(falls > 0.75 * falls.max())
    assert (rows.min(), rows.max()) >= (24, 27)
    assert rows.max() < 40
    assert columns.min() >= 4
    assert columns.max() < 20
    # No cover over these pixels reaches what the model looks at.
    assert np.abs(falls[:16]).max() < 1e-6
    assert np.abs(falls[:, 28:]).max() < 1e-6


def test_what_speaks_for_one_class_speaks_against_the_other():
    pixels = face_with_a_bright_corner()
    happy = explain.probability_falls(pixels, CornerClassifier(), "happy")
    sad = explain.probability_falls(pixels, CornerClassifier(), "sad")
    np.testing.assert_allclose(happy, -sad, atol=1e-6)


def test_the_mouth_makes_the_astronaut_happy(photograph):
    with Emotions() as emotions:
        [found] = emotions.explain(photograph)
        [face] = emotions.faces(photograph)
    assert found.face == face
    assert found.emotion == face.label == "happy"
    assert found.falls.dtype == np.float32
    assert found.pixels.shape == found.falls.shape == (48, 48)
    row, column = np.unravel_index(found.falls.argmax(), found.falls.shape)
    assert 28 <= row <= 44
    assert 14 <= column <= 34


def test_a_whole_picture_is_answered_as_predict_does(photograph):
    image = np.asarray(Image.open(photograph))
    with Emotions() as emotions:
        [found] = emotions.explain(photograph, emotion="fear", whole=True)
        [predicted] = emotions._model.predict([photograph.read_bytes()])
    assert found.emotion == "fear"
    assert found.face.probabilities == pytest.approx(predicted.probabilities, abs=1e-6)
    assert found.square.shape == image.shape


def test_an_unknown_class_is_named(photograph):
    with Emotions() as emotions, pytest.raises(UserError, match="no class 'glad'; it has angry, "):
        emotions.explain(photograph, emotion="glad")


def test_the_drawing_marks_what_counts():
    pixels = face_with_a_bright_corner()
    falls = explain.probability_falls(pixels, CornerClassifier(), "happy")
    face = FaceEmotion(FaceBox(0, 0, 40, 40), "happy", {"happy": 0.9, "sad": 0.1}, 2, 3)
    gray = np.full((48, 48), 90, np.uint8)
    square = np.full((60, 60, 3), 90, np.uint8)
    one = explain.Explanation(face, square, gray, "happy", falls)
    drawn = draw_why([one, one])
    assert drawn.dtype == np.uint8
    assert drawn.shape[2] == 3
    half = drawn.shape[0] // 2
    np.testing.assert_array_equal(drawn[:half], drawn[half:])
    # Of the second picture, 240 px for 48: what counts is orange, what does not is as it was.
    left, top = 256, 28
    red, green, blue = drawn[top + 32 * 5, left + 12 * 5].tolist()
    assert red > green + 20 > blue + 20
    assert drawn[top + 8 * 5, left + 40 * 5].tolist() == [90, 90, 90]


def test_each_picture_gets_one_beside_a_row_for_each_face(photograph, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["explain", str(photograph), "--out", str(out), "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)
    assert found["path"] == str(photograph)
    assert (found["face"], found["emotion"]) == (1, "happy")
    assert found["probability"] == found["probabilities"]["happy"] > 0.5
    assert np.shape(found["falls"]) == (48, 48)
    assert found["largest_fall"] == pytest.approx(np.max(found["falls"]), abs=1e-4)
    with Image.open(out / "astronaut.png.why.png") as drawn:
        assert drawn.size == (772, 276)
    assert main(["explain", str(photograph), "--out", str(out)]) == 1
    told = capsys.readouterr().err
    assert "exists already: remove it, or choose another place with --out\n" in told


def test_a_folder_in_which_nothing_is_found_is_told_as_such(tmp_path):
    with pytest.raises(UserError, match=r"^there is no picture or film: .* was searched$"):
        explain_files([tmp_path], tmp_path / "out", _one_face, BrightnessClassifier())


def test_what_cannot_be_explained_is_told_and_the_rest_is_done(photograph, tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (400, 300)).save(folder / "blank.png")
    Image.new("L", (48, 48), 90).save(folder / "crop.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    write_film(folder / "film.mp4", [np.zeros((48, 64, 3), np.uint8)] * 2)
    (tmp_path / "words").write_text("no picture, and no film")
    photograph.rename(folder / "photo.png")
    out = tmp_path / "out"
    done = explain_files([folder, tmp_path / "words"], out, _one_face, BrightnessClassifier())
    assert done.failed
    assert [re.sub(r".*/", "", face["path"]) for face in done.faces] == ["crop.png", "photo.png"]
    assert sorted(path.name for path in out.rglob("*.png")) == [
        "crop.png.why.png",
        "photo.png.why.png",
    ]
    told = capsys.readouterr().err
    for words in (
        "blank.png: no face is found in it; if it is one cropped face, say --whole",
        "crop.png: no face is found in it, so the whole is taken as one",
        "broken.jpg is damaged or cut off: it is a JPEG in which no picture begins",
        "film.mp4 is no picture: save the frame that you mean as one",
        "words is not a picture that can be read (JPEG, PNG, ",
    ):
        assert words in told


def test_a_place_that_is_no_folder_ends_it_before_any_work(photograph, tmp_path):
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(FileExistsError):
        explain_files([photograph], tmp_path / "out", _asked_for_nothing, BrightnessClassifier())


def test_a_url_is_no_path(capsys):
    for words in (
        ["explain", "https://example.org/a.png"],
        ["annotate", "ftp://example.org/a.png"],
    ):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        told = capsys.readouterr().err
        assert f"{words[1]} is a URL, which is not opened here" in told


def _asked_for_nothing(image):
    raise AssertionError


def _one_face(image):
    return [FaceBox(181, 58, 87, 118)] if image.any() and len(image) > 100 else []
