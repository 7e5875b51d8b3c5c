"""Turns pixels upright, as the metadata of a picture or a film says."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from PIL import Image


class Turn(NamedTuple):
    """What makes pixels upright: rows become columns, then left becomes right, then top bottom."""

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False


TURN_OF_ORIENTATION: dict[int, Turn] = {
    1: Turn(),
    2: Turn(False, True, False),
    3: Turn(False, True, True),
    4: Turn(False, False, True),
    5: Turn(True, False, False),
    6: Turn(True, True, False),
    7: Turn(True, True, True),
    8: Turn(True, False, True),
}
"""By the value of EXIF's Orientation (tag 0x0112; Exif 2.32, section 4.6.4)."""

_ORIENTATION_TAG = 0x0112


def orientation_of(image: Image.Image) -> int:
    """A picture's EXIF Orientation, 1 to 8; 1 where it has none, or one that cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of broken metadata
            orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:
        # Pillow raises most of Python's exceptions over broken metadata; the picture is none the less.
        return 1
    return orientation if orientation in TURN_OF_ORIENTATION else 1


def turned(pixels: np.ndarray, turn: Turn) -> np.ndarray:
    """Returns [height, width, ...] pixels turned, contiguous; the same array if there is no turn."""
    if turn.transposed:
        pixels = pixels.swapaxes(0, 1)
    if turn.mirrored:
        pixels = pixels[:, ::-1]
    if turn.flipped:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
