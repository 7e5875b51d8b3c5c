"""How good a face is to be answered about: how large, how sharp, how far turned."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import cv2
import numpy as np

from emotion_faces.faces.detector import FaceBox, Point

_UPRIGHT_DEGREES = 60


@dataclasses.dataclass(frozen=True)
class Quality:
    """What an answer about a face has to rest on.

    Attributes:
      size_px: The shorter side of its box, in pixels of the picture; the model takes 48.
      sharpness: Variance of the Laplacian of the gray 48 x 48 that the model is asked about, in levels of 255.
      roll: Degrees by which the face is turned clockwise in the picture, in (-180, 180]; NaN without landmarks.
      yaw: How far the nose stands aside of the middle of eyes and mouth, in halves of the distance of the eyes:
        0 where the face looks ahead, 1 to the image's right; NaN without landmarks.
    """

    size_px: float
    sharpness: float
    roll: float = math.nan
    yaw: float = math.nan


def measure_quality(box: FaceBox, pixels: np.ndarray) -> Quality:
    """Measures a face.

    Args:
      box: Where the detector found it.
      pixels: float32 [48, 48, 1] in [0, 1], what the model is asked about.
    """
    levels = np.ascontiguousarray(pixels[:, :, 0], np.float32) * np.float32(255)
    sharpness = float(cv2.Laplacian(levels, cv2.CV_32F).var())
    size = min(box.width, box.height)
    if not box.landmarks:
        return Quality(size, sharpness)
    return Quality(size, sharpness, roll_of(box.landmarks), yaw_of(box.landmarks))


def roll_of(landmarks: Sequence[Point]) -> float:
    """Degrees by which a face is turned clockwise in its picture, in (-180, 180].

    Args:
      landmarks: As a FaceBox has them.
    """
    along = _along(landmarks)
    return math.degrees(math.atan2(along.imag, along.real))


def quarter_turns(landmarks: Sequence[Point]) -> int:
    """By how many quarters, against the clock, a face must be turned to stand: 0 to 3.

    Landmarks are off by 20 degrees at times, so that a head that is bent by less than 60 is left as it is.
    """
    if not landmarks:
        return 0
    roll = roll_of(landmarks)
    if abs(roll) < _UPRIGHT_DEGREES:
        return 0
    if abs(roll) > 180 - _UPRIGHT_DEGREES:
        return 2
    return 1 if roll > 0 else 3


def yaw_of(landmarks: Sequence[Point]) -> float:
    """How far the nose stands aside of the middle of eyes and mouth; see Quality."""
    left, right, nose, *mouth = (complex(*point) for point in landmarks)
    along = _along(landmarks)
    middle = (left + right + sum(mouth)) / 4
    aside = ((nose - middle) / along).real * abs(along)
    return 2 * aside / max(abs(right - left), 1e-6)


def _along(landmarks: Sequence[Point]) -> complex:
    """The direction from the left eye to the right one, by eyes and mouth together."""
    left, right, _, mouth_left, mouth_right = (complex(*point) for point in landmarks)
    down = (mouth_left + mouth_right - left - right) / 2
    # A quarter turn counterclockwise of what leads from the eyes to the mouth; y grows downwards.
    along = right - left + mouth_right - mouth_left + down * -1j
    return along or complex(1)
