import io
import pathlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import emotion_faces
from emotion_faces import Emotions
from emotion_faces.annotate.faces import Shot
from emotion_faces.errors import UserError
from emotion_faces.shipped import find_model
from tests.serving.films import write_film

LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


@pytest.fixture(scope="module")
def emotions():
    with Emotions() as emotions:
        yield emotions


def test_a_picture_in_any_form_is_the_same(emotions, astronaut, tmp_path):
    [face] = emotions.faces(astronaut)
    assert face.label == face.top
    assert tuple(face.probabilities) == emotions.labels == LABELS
    assert face.model_version == emotions.version
    path = tmp_path / "astronaut.png"
    image = Image.fromarray(astronaut)
    image.save(path)
    data = path.read_bytes()
    for same in (image, path, str(path), data, bytearray(data), memoryview(data)):
        assert emotions.faces(same) == [face]
    gray = np.asarray(image.convert("L"))
    [of_gray] = emotions.faces(gray)
    assert of_gray.probabilities == pytest.approx(face.probabilities, abs=0.1)


def test_many_pictures_are_answered_in_order(emotions, astronaut):
    blank = np.zeros_like(astronaut)
    assert [len(faces) for faces in emotions.batch([blank, astronaut, blank])] == [0, 1, 0]


@pytest.mark.parametrize(
    "one", ["A1/p.png", b"picture", pathlib.Path("p.png"), np.zeros((9, 9, 3), np.uint8)]
)
def test_one_picture_is_not_several(emotions, one):
    for call in (emotions.batch, emotions.table):
        with pytest.raises(TypeError, match=r"found one \w+: give a list of them, or ask faces"):
            call(one)


def test_a_frame_without_its_time_is_refused_with_what_is_wanted(emotions, astronaut):
    with pytest.raises(TypeError, match=r"must be a Shot, found ndarray; .*Shot\(pixels, seconds"):
        next(emotions.frames([astronaut]))
    assert emotion_faces.Shot is Shot


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def of_16_bits(astronaut):
    return encoded(Image.fromarray(astronaut[:, :, 0].astype(np.uint16) * 200), "PNG")


def on_its_side(astronaut):
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.fromarray(astronaut).rotate(90, expand=True), "JPEG", exif=exif)


def seen_through(astronaut):
    image = Image.fromarray(astronaut)
    image.putalpha(
        Image.fromarray((np.indices(astronaut.shape[:2]).sum(0) % 2 * 255).astype(np.uint8))
    )
    return encoded(image, "PNG")


@pytest.mark.parametrize("make", [of_16_bits, on_its_side, seen_through])
def test_an_image_of_pillows_is_read_as_its_file_is(emotions, astronaut, make):
    data = make(astronaut)
    faces = emotions.faces(data)
    assert len(faces) == 1
    assert emotions.faces(Image.open(io.BytesIO(data))) == faces


def test_a_damaged_image_of_pillows_is_refused(emotions, astronaut):
    cut_off = encoded(Image.fromarray(astronaut), "PNG")[:9000]
    with pytest.raises(UserError, match="the picture is damaged or cut off"):
        emotions.faces(Image.open(io.BytesIO(cut_off)))


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (np.zeros((9, 9, 3)), r"float64 \[9, 9, 3\]"),
        (np.zeros((9, 9, 4), np.uint8), r"uint8 \[9, 9, 4\]"),
        (np.zeros((0, 9, 3), np.uint8), r"uint8 \[0, 9, 3\]"),
        (io.BytesIO(), "BytesIO"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_picture_is_refused(emotions, wrong, found):
    with pytest.raises(ValueError, match=f"a picture must be uint8 RGB.* found {found}"):
        emotions.faces(wrong)


def test_what_is_not_likely_is_unsure(astronaut):
    with Emotions(unsure_below=1.0) as emotions:
        [face] = emotions.faces(astronaut)
    assert (face.label, face.top in LABELS) == ("unsure", True)
    with pytest.raises(UserError, match=r"--unsure-below is 1\.5; it must be a probability"):
        Emotions(unsure_below=1.5)


def test_streams_and_films_keep_their_faces_apart(emotions, astronaut, tmp_path):
    stream = (Shot(astronaut.copy(), seconds=second) for second in (0.0, 0.1, 5.0))
    assert [[face.track for face in shot.faces] for shot in emotions.frames(stream)] == [
        [1],
        [1],
        [1],
    ]
    film = tmp_path / "film.mp4"
    write_film(film, [astronaut] * 4)
    shots = list(emotions.film(film, every=2))
    assert [(shot.frame, len(shot.faces)) for shot in shots] == [(0, 1), (2, 1)]
    with pytest.raises(UserError, match="every is 0; it must be 1 or more"):
        next(emotions.film(film, every=0))


def test_a_table_has_a_row_for_each_face(emotions, astronaut, tmp_path):
    path = tmp_path / "astronaut.png"
    Image.fromarray(astronaut).save(path)
    table = emotions.table([np.zeros((64, 64, 3), np.uint8), astronaut, path])
    assert isinstance(table, pd.DataFrame)
    assert list(table["file"]) == ["1", str(path)]
    assert list(table.columns)[-8:] == [*LABELS, "label"]
    assert table[list(LABELS)].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-4)


def test_answers_as_fer_and_deepface_shape_them(emotions, astronaut):
    [face] = emotions.faces(astronaut)
    bgr = astronaut[:, :, ::-1]
    [found] = emotions.detect_emotions(bgr)
    assert found["box"] == tuple(
        round(value) for value in (face.box.left, face.box.top, face.box.width, face.box.height)
    )
    assert found["emotions"] == {name: round(p, 2) for name, p in face.probabilities.items()}
    [found] = emotions.analyze(bgr)
    assert found["dominant_emotion"] == face.label
    assert sum(found["emotion"].values()) == pytest.approx(100, abs=1e-3)
    assert list(found["region"]) == ["x", "y", "w", "h"]
    assert found["face_confidence"] == face.box.score
    blank = np.zeros((64, 64, 3), np.uint8)
    assert emotions.detect_emotions(blank) == []
    [whole] = emotions.analyze(blank, enforce_detection=False)
    assert whole["region"] == {"x": 0, "y": 0, "w": 64, "h": 64}
    assert whole["face_confidence"] == 0
    assert sum(whole["emotion"].values()) == pytest.approx(100, abs=1e-3)
    with pytest.raises(ValueError, match="no face was found"):
        emotions.analyze(blank)


def test_a_model_is_named_or_is_a_folder(tmp_path):
    with pytest.raises(UserError, match=r"^model nonsense: no such model comes with the project"):
        Emotions("nonsense")
    with pytest.raises(UserError, match=r"^there is no file or folder runs/mine/pushed$"):
        Emotions("runs/mine/pushed")
    with pytest.raises(UserError, match="holds no SavedModel"):
        Emotions(tmp_path)
    with pytest.raises(UserError, match=r"model is 'deep' and server .*: give one of the two"):
        Emotions("deep", server="127.0.0.1:1")
    assert emotion_faces.Emotions is Emotions
    with pytest.raises(AttributeError, match="no attribute 'Feelings'"):
        emotion_faces.Feelings  # noqa: B018


def test_bytes_that_are_no_picture_are_refused(emotions):
    with pytest.raises(UserError, match="is not a picture"):
        emotions.faces(io.BytesIO(b"text").getvalue())


def test_a_file_is_named_as_text_as_well():
    (path,) = find_model("deep").folder.glob("*/assets.extra/model.int8.onnx")
    assert Emotions(str(path)).labels == Emotions("deep").labels


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((9, 9, 3)), np.zeros((9, 9, 4), np.uint8), np.zeros((0, 9, 3), np.uint8)],
)
def test_a_frame_is_held_to_what_a_picture_is(emotions, wrong):
    with pytest.raises(ValueError, match="a picture must be uint8 RGB"):
        next(emotions.frames([Shot(wrong)]))
    with pytest.raises(TypeError, match="a frame's pixels must be an array, found str"):
        next(emotions.frames([Shot("frame.png")]))


def test_a_gray_frame_is_read_as_a_gray_picture_is(emotions, astronaut):
    gray = astronaut[:, :, 1]
    (shot,) = emotions.frames([Shot(gray)])
    assert [face.box for face in shot.faces] == [face.box for face in emotions.faces(gray)]
    assert len(shot.faces) == 1


@pytest.mark.parametrize("seconds", [None, "1", float("nan"), float("inf")])
def test_a_frames_time_is_a_number(emotions, astronaut, seconds):
    with pytest.raises(ValueError, match="a frame's time must be in seconds"):
        next(emotions.frames([Shot(astronaut, seconds=seconds)]))


@pytest.mark.parametrize("shape", [(48, 48, 4), (48, 48, 1), (48, 48)])
def test_an_array_of_one_picture_is_not_several_whatever_its_channels(emotions, shape):
    with pytest.raises(TypeError, match="found one ndarray"):
        emotions.batch(np.zeros(shape, np.uint8))


def test_an_image_without_pixels_is_refused(emotions):
    with pytest.raises(UserError, match="has no pixels: it is 0 x 9"):
        emotions.faces(Image.new("RGB", (0, 9)))


def test_urls_are_no_paths(emotions):
    with pytest.raises(UserError, match=r"https://example\.org/a\.jpg is a URL"):
        emotions.faces("https://example.org/a.jpg")
    with pytest.raises(UserError, match=r"rtsp://192\.0\.2\.1/live is a URL"):
        next(emotions.film("rtsp://user:secret@192.0.2.1/live"))


def test_an_emotion_that_is_none_is_told_where_no_face_is(emotions):
    with pytest.raises(UserError, match="the model has no class 'glad'"):
        emotions.explain(np.zeros((48, 48, 3), np.uint8), "glad")
