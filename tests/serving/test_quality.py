import math

import cv2
import numpy as np
import pytest

from emotion_faces.annotate.faces import FaceEmotion
from emotion_faces.annotate.table import quality_fields
from emotion_faces.faces.detector import FaceBox
from emotion_faces.faces.quality import Quality, measure_quality, roll_of, yaw_of

AHEAD = ((30, 40), (70, 40), (50, 60), (35, 75), (65, 75))


def turned(points, degrees):
    """The points turned clockwise about (10, 20), as one sees them: y grows downwards."""
    radians = math.radians(degrees)
    cos, sin = math.cos(radians), math.sin(radians)
    return tuple(
        (10 + cos * (x - 10) - sin * (y - 20), 20 + sin * (x - 10) + cos * (y - 20))
        for x, y in points
    )


@pytest.mark.parametrize("degrees", [0, 15, -30, 90, -120, 179])
def test_roll_is_the_turn_and_yaw_does_not_change_with_it(degrees):
    points = turned(AHEAD, degrees)
    assert roll_of(points) == pytest.approx(degrees, abs=1e-6)
    assert yaw_of(points) == pytest.approx(0, abs=1e-6)
    aside = turned((*AHEAD[:2], (60, 60), *AHEAD[3:]), degrees)
    assert yaw_of(aside) == pytest.approx(10 / 20, abs=1e-6)


def test_landmarks_in_one_place_are_no_error():
    assert roll_of([(5, 5)] * 5) == 0
    assert yaw_of([(5, 5)] * 5) == 0


def test_sharpness_falls_with_blur_and_size_is_the_boxs():
    pixels = np.random.default_rng(0).random((48, 48, 1)).astype(np.float32)
    blurred = cv2.GaussianBlur(pixels, (0, 0), 2)[:, :, np.newaxis]
    sharp = measure_quality(FaceBox(0, 0, 30, 40), pixels)
    assert sharp.size_px == 30
    assert math.isnan(sharp.roll)
    assert math.isnan(sharp.yaw)
    assert measure_quality(FaceBox(0, 0, 30, 40), blurred).sharpness < sharp.sharpness / 50
    # The variance of 0, 255, 0, 255...: the Laplacian is 4 x 255 up and down.
    board = (np.indices((48, 48)).sum(axis=0) % 2).astype(np.float32)[:, :, np.newaxis]
    assert measure_quality(FaceBox(0, 0, 9, 9), board).sharpness == pytest.approx(1020**2, rel=1e-3)


def test_what_is_not_known_is_none():
    face = FaceEmotion(FaceBox(0, 0, 9, 9), "sad", {"sad": 1.0}, 1, 1)
    assert set(quality_fields(face).values()) == {None}
    known = FaceEmotion(*list(vars(face).values())[:5], Quality(9.4, 120.6, -14.6, 0.123))
    assert quality_fields(known) == {"size_px": 9, "sharpness": 121, "roll": -15, "yaw": 0.12}
    assert quality_fields(FaceEmotion(*list(vars(face).values())[:5], Quality(9.4, 120.6))) == {
        "size_px": 9,
        "sharpness": 121,
        "roll": None,
        "yaw": None,
    }
