"""Looks for faces in a part of a picture alone."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from emotion_faces.errors import UsageError, UserError
from emotion_faces.faces.detector import FaceBox, FaceDetector


class Region(NamedTuple):
    """A rectangle of an upright picture, in its pixels; what of it lies beyond the edges is left out."""

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Region:
        """Reads `X,Y,W,H`.

        Raises:
          UsageError: They are no four whole numbers, one is negative, or a side is 0.
        """
        try:
            region = cls(*map(int, text.split(",")))
        except (TypeError, ValueError):
            region = None
        if region is None or min(region) < 0 or 0 in region[2:]:
            raise UsageError(
                f"--region is {text!r}; it must be X,Y,W,H in pixels, such as 0,0,640,480: the left upper "
                "corner from 0 on, then width and height from 1 on"
            )
        return region

    def check(self, width: int, height: int, name: str) -> None:
        """Makes sure that a picture of such a size has pixels in the region.

        Raises:
          UserError: It has none.
        """
        if self.left >= width or self.top >= height:
            raise UserError(
                f"{name} has {width} x {height} pixels: --region {','.join(map(str, self))} begins beyond them"
            )


class InRegion:
    """A detector that looks at a region alone; what it gives is in pixels of the whole picture.

    Args:
      detector: Finds the faces.
      region: Where.
    """

    def __init__(self, detector: FaceDetector, region: Region):
        self._detector = detector
        self._region = region

    def __call__(self, image: np.ndarray) -> list[FaceBox]:
        """Returns the faces in the region of uint8 RGB [height, width, 3], the likeliest first."""
        left, top, width, height = self._region
        part = np.ascontiguousarray(image[top : top + height, left : left + width])
        if not part.size:
            return []
        return [
            dataclasses.replace(
                box,
                left=box.left + left,
                top=box.top + top,
                landmarks=tuple((x + left, y + top) for x, y in box.landmarks),
            )
            for box in self._detector(part)
        ]
