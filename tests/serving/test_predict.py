import cv2
import numpy as np
import pytest

from emotion_faces import predict
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
    assert "is not a JPEG" in answers[1]["error"]
    assert "an image of 1002001 pixels" in answers[2]["error"]


def test_table():
    answers = [
        {"path": "a.jpg", "label": "happy", "probabilities": {"happy": 0.75, "sad": 0.25}},
        {"path": "long/b.jpg", "error": "empty"},
    ]
    assert predict.format_table(answers) == ("a.jpg       happy  0.750\nlong/b.jpg  error: empty")
