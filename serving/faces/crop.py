"""Cuts a face out as the network's training images are cut: tight, square, gray, 48 x 48."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from emotion_faces.faces.detector import FaceBox
from emotion_faces.faces.quality import quarter_turns

FACE_SIZE_PX = 48
"""Width and height of what the network takes."""

SIDE_PER_BOX = 1.14
"""Side of the square over the geometric mean of the detector's box, for the same face.

Median over faces of FER2013's train split; `benchmarks/faces/face_crop.py` measures it.
"""


def crop_faces(image: np.ndarray, boxes: Sequence[FaceBox]) -> np.ndarray:
    """Cuts the boxes' squares out of uint8 RGB [height, width, 3].

    Returns:
      float32 [N, 48, 48, 1] in [0, 1], the model's `pixels` input. Where a square reaches past the
      image's edge, the edge's pixels go on.
    """
    crops = [crop_face(image, box) for box in boxes]
    shape = (len(crops), FACE_SIZE_PX, FACE_SIZE_PX, 1)
    return np.asarray(crops, np.float32).reshape(shape) / np.float32(255)


def crop_face(image: np.ndarray, box: FaceBox) -> np.ndarray:
    """Cuts one box's square out of uint8 RGB [height, width, 3]; returns uint8 [48, 48]."""
    square = cut_square(image, box)
    interpolation = cv2.INTER_AREA if len(square) > FACE_SIZE_PX else cv2.INTER_CUBIC
    gray = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, (FACE_SIZE_PX, FACE_SIZE_PX), interpolation=interpolation)


def cut_square(image: np.ndarray, box: FaceBox) -> np.ndarray:
    """Cuts one box's square out of uint8 RGB [height, width, 3]; returns uint8 RGB [side, side, 3].

    A face that lies on its side or stands on its head, by its landmarks, is turned by quarters.
    """
    left, top, side = square_around(box)
    height, width = image.shape[:2]
    inner = image[max(top, 0) : top + side, max(left, 0) : left + side]
    square = cv2.copyMakeBorder(
        inner,
        max(-top, 0),
        max(top + side - height, 0),
        max(-left, 0),
        max(left + side - width, 0),
        cv2.BORDER_REPLICATE,
    )
    turns = quarter_turns(box.landmarks)
    return np.ascontiguousarray(np.rot90(square, turns)) if turns else square


def square_around(box: FaceBox) -> tuple[int, int, int]:
    """Left, top and side in pixels of the square to cut, about the box's centre."""
    side = max(1, round(SIDE_PER_BOX * (box.width * box.height) ** 0.5))
    left = round(box.left + (box.width - side) / 2)
    top = round(box.top + (box.height - side) / 2)
    return left, top, side
