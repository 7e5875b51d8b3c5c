"""Finds faces in pictures that stand on their head or lie on their side, and say so in no metadata."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from emotion_faces.faces.detector import FaceBox, FaceDetector, Point
from emotion_faces.faces.quality import quarter_turns

_TURNS = (2, 1, 3)


class AnyTurn:
    """A detector that turns a picture by quarters where another finds nothing, or mostly faces that are not upright.

    A picture with upright faces costs no more than with the other detector, one without any face four
    searches.

    Args:
      detector: What finds upright faces.
    """

    def __init__(self, detector: FaceDetector):
        self._detector = detector

    def __call__(self, image: np.ndarray) -> list[FaceBox]:
        """Returns the faces in uint8 RGB [height, width, 3], the likeliest first, in its own pixels."""
        found = self._detector(image)
        turns = [quarter_turns(box.landmarks) for box in found]
        if 2 * turns.count(0) > len(turns):
            return found
        lying = set(turns) - {0}
        tries = [found, *(self._turned(image, turn) for turn in lying or _TURNS)]
        return max(tries, key=_sureness)

    def _turned(self, image: np.ndarray, turn: int) -> list[FaceBox]:
        height, width = image.shape[:2]
        boxes = self._detector(np.ascontiguousarray(np.rot90(image, turn)))
        return [turned_back(box, turn, width, height) for box in boxes]


def turned_back(box: FaceBox, turn: int, width: int, height: int) -> FaceBox:
    """Moves a face of a turned picture to where it is in the picture itself.

    Args:
      box: The face.
      turn: By how many quarters, against the clock, the picture was turned; 1 to 3.
      width, height: Of the picture itself, in pixels.
    """

    def back(point: Point) -> Point:
        x, y = point
        return ((width - y, x), (width - x, height - y), (y, height - x))[turn - 1]

    first = back((box.left, box.top))
    second = back((box.left + box.width, box.top + box.height))
    left, top = min(first[0], second[0]), min(first[1], second[1])
    return dataclasses.replace(
        box,
        left=left,
        top=top,
        width=abs(first[0] - second[0]),
        height=abs(first[1] - second[1]),
        landmarks=tuple(back(point) for point in box.landmarks),
    )


def _sureness(found: Sequence[FaceBox]) -> float:
    return sum(box.score for box in found)
