import errno
import io
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from emotion_faces import predict
from emotion_faces.answers import Prediction
from emotion_faces.errors import UserError


def write_image(path, value=128, size=48):
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(path.suffix, np.full((size, size), value, np.uint8))[1]
    path.write_bytes(encoded.tobytes())
    return path


def test_collects_deep_in_order_and_once(tmp_path):
    b = write_image(tmp_path / "b.jpg")
    a = write_image(tmp_path / "sub" / "a.png")
    odd = tmp_path / "odd.bin"
    odd.write_bytes(b"x")
    assert predict.collect_images([odd, tmp_path, b]) == [odd, b, a]


def test_links_that_lead_nowhere_are_told_and_end_nothing(tmp_path):
    good = write_image(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to("b.jpg")
    (tmp_path / "c.jpg").symlink_to("none")
    (tmp_path / "d").symlink_to("d")
    (tmp_path / "e").symlink_to(tmp_path)
    pictures = predict.collect_images([tmp_path])
    assert pictures == [good, tmp_path / "b.jpg", tmp_path / "c.jpg"]


def test_folders_behind_links_are_searched_and_what_cannot_be_read_is_told(tmp_path, monkeypatch):
    far = write_image(tmp_path / "far" / "deep" / "a.jpg")
    folder = tmp_path / "in"
    near = write_image(folder / "open" / "b.jpg")
    closed = folder / "closed"
    closed.mkdir()
    (folder / "link").symlink_to(tmp_path / "far")
    (folder / "again").symlink_to(folder / "open")
    (far.parent / "loop").symlink_to(tmp_path / "far")
    os.mkfifo(folder / "pipe.jpg")

    list_folder = os.scandir

    def listed(path):
        if path == os.fspath(closed):
            raise PermissionError(errno.EACCES, "Permission denied")
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", listed)
    assert predict.collect_images([folder]) == [
        closed, folder / "link/deep/a.jpg", near, folder / "pipe.jpg",
    ]  # fmt: skip
    assert predict.collect_images([closed]) == [closed]


def test_a_folder_without_images(tmp_path):
    with pytest.raises(UserError, match="holds no image"):
        predict.collect_images([tmp_path])


def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(UserError, match="there is no file or folder"):
        predict.collect_images([tmp_path / "none"])


def test_predicts_each_image_or_says_why_not(emotion_server, tmp_path):
    good = write_image(tmp_path / "a.jpg")
    bad = tmp_path / "b.jpg"
    bad.write_bytes(b"no image")
    large = write_image(tmp_path / "c.png", size=1001)
    answers = predict.predict_paths([tmp_path], emotion_server)
    assert [answer["path"] for answer in answers] == [str(good), str(bad), str(large)]
    assert answers[0]["label"] in answers[0]["probabilities"]
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
    assert "is not a picture that can be read" in answers[1]["error"]
    assert "an image of 1002001 pixels" in answers[2]["error"]


def test_what_the_model_takes_is_sent_as_it_is():
    gray = np.tile(np.arange(48, dtype=np.uint8) * 5, (48, 1))
    for suffix in (".jpg", ".png"):
        data = cv2.imencode(suffix, gray)[1].tobytes()
        assert predict.fit_for_model(data) is data


@pytest.mark.parametrize(
    ("kind", "mode", "orientation"),
    [
        ("JPEG", "RGB", 6),
        ("PNG", "L", 3),
        ("JPEG", "CMYK", 1),
        ("BMP", "RGB", 1),
        ("GIF", "P", 1),
        ("WEBP", "RGB", 1),
        ("TIFF", "RGB", 1),
        ("AVIF", "RGB", 1),
    ],
)
def test_what_it_does_not_take_is_sent_upright_as_a_gray_png(kind, mode, orientation):
    upright = np.zeros((32, 48), np.uint8)
    upright[:16, :24] = 200  # upper left
    stored = {1: upright, 3: upright[::-1, ::-1], 6: np.rot90(upright, 1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(stored)).convert(mode)
    picture.save(buffer, kind, **({"exif": exif} if orientation > 1 else {}))
    sent = Image.open(io.BytesIO(predict.fit_for_model(buffer.getvalue())))
    assert (sent.format, sent.mode, sent.size) == ("PNG", "L", (48, 32))
    np.testing.assert_allclose(np.asarray(sent)[[8, 8, 24], [12, 36, 12]], [200, 0, 0], atol=8)


def test_a_large_picture_of_another_kind_is_sent_smaller():
    buffer = io.BytesIO()
    Image.new("RGB", (4000, 3000), (90, 90, 90)).save(buffer, "BMP")
    sent = Image.open(io.BytesIO(predict.fit_for_model(buffer.getvalue())))
    assert sent.size == (2000, 1500)
    assert np.asarray(sent).mean() == 90


def test_a_picture_beyond_what_a_server_takes_is_sent_smaller():
    data = cv2.imencode(".png", np.full((4097, 4096), 90, np.uint8))[1].tobytes()
    sent = Image.open(io.BytesIO(predict.fit_for_model(data)))
    assert sent.size == (2048, 2049)
    assert sent.getpixel((5, 5)) == 90


def test_what_is_damaged_is_told_in_words_of_the_picture(emotion_server, tmp_path):
    whole = cv2.imencode(".jpg", np.arange(48 * 48, dtype=np.uint8).reshape(48, 48))[1].tobytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    [answer] = predict.predict_paths([tmp_path], emotion_server)
    assert answer["error"].startswith("it cannot be decoded: ")
    assert "[" not in answer["error"]


def test_every_kind_that_is_read_is_predicted(emotion_server, tmp_path):
    picture = Image.fromarray(np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)).convert("RGB")
    for kind in ("BMP", "GIF", "WEBP", "TIFF", "AVIF", "JPEG", "PNG"):
        picture.save(tmp_path / f"{kind}.picture", kind)
    answers = predict.predict_paths([tmp_path], emotion_server)
    assert len(answers) == 7
    assert [answer for answer in answers if "error" in answer] == []


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG", "MPO"])
def test_of_several_pictures_the_first_is_answered_and_that_is_told(tmp_path, kind):
    path = tmp_path / f"several.{kind}"
    first, *others = (Image.new("L", (48, 48), level) for level in (10, 128, 250))
    first.save(path, kind, save_all=True, append_images=others)
    told = []
    [answer] = predict.predict_files([path], FirstPixels(), tell=told.append)
    assert answer["probabilities"] == {"level": pytest.approx(10, abs=2)}
    words = f"{path}: it holds several pictures: the first alone is read"
    assert told == ([] if kind == "MPO" else [words])


class FirstPixels:
    """Answers with the gray of what it is asked about, as OpenCV decodes it."""

    def predict(self, images):
        grays = [
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) for data in images
        ]
        return [Prediction("level", {"level": float(gray[0, 0])}, 1) for gray in grays]


def test_table():
    answers = [
        {"path": "a.jpg", "label": "happy", "probabilities": {"happy": 0.75, "sad": 0.25}},
        {"path": "long/b.jpg", "error": "empty"},
    ]
    assert predict.format_table(answers) == ("a.jpg       happy  0.750\nlong/b.jpg  error: empty")
