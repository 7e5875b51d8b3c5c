"""Marks faces on an image: box, label with its probability, and a bar for each emotion."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from serving.annotate.faces import FaceEmotion

Colour = tuple[int, int, int]

COLOURS: tuple[Colour, ...] = (
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (200, 200, 200),
    (86, 180, 233),
    (230, 159, 0),
)
"""RGB by class index: Okabe and Ito's palette, which colour-blind people can tell apart
(https://jfly.uni-koeln.de/color/)."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK: Colour = (20, 20, 20)
_PAPER: Colour = (255, 255, 255)
_ROW_PX = 13  # height of a line of the panel, at scale 1
_PANEL_PX = (112, 60)  # its width, and where its bars begin


def colour_of(index: int) -> Colour:
    """The colour of a class by its index; colours come again after the seventh."""
    return COLOURS[index % len(COLOURS)]


def draw_faces(image: np.ndarray, faces: Sequence[FaceEmotion]) -> None:
    """Draws on uint8 RGB [height, width, 3], in place.

    A face that is large enough gets a panel with the emotions by name beside it; a smaller one
    a strip below it, divided as the probabilities are.
    """
    scale = float(np.clip(max(image.shape[:2]) / 900, 0.8, 4))
    for face in faces:
        labels = list(face.probabilities)
        colour = colour_of(labels.index(face.label))
        box = face.box
        left, top = round(box.left), round(box.top)
        right, bottom = round(box.left + box.width), round(box.top + box.height)
        cv2.rectangle(image, (left, top), (right, bottom), _INK, round(4 * scale))
        cv2.rectangle(image, (left, top), (right, bottom), colour, round(2 * scale))
        rows_px = round(_ROW_PX * scale) * len(labels)
        if bottom - top >= 0.75 * rows_px:
            _draw_panel(image, face, (left, top, right), scale)
        else:
            _draw_strip(image, face, (left, right, bottom), scale)
        text = f"{face.label} {face.probabilities[face.label]:.0%}"
        _draw_tag(image, text, (left, top), colour, scale)


def _draw_tag(
    image: np.ndarray, text: str, corner: tuple[int, int], colour: Colour, scale: float
) -> None:
    size, thickness = 0.5 * scale, max(1, round(scale))
    (width, height), _ = cv2.getTextSize(text, _FONT, size, thickness)
    pad = round(4 * scale)
    left = int(np.clip(corner[0], 0, max(0, image.shape[1] - width - 2 * pad)))
    bottom = max(corner[1], height + 2 * pad)
    top = bottom - height - 2 * pad
    cv2.rectangle(image, (left, top), (left + width + 2 * pad, bottom), colour, cv2.FILLED)
    cv2.putText(image, text, (left + pad, bottom - pad), _FONT, size, _INK, thickness, cv2.LINE_AA)


def _draw_panel(
    image: np.ndarray, face: FaceEmotion, sides: tuple[int, int, int], scale: float
) -> None:
    left, top, right = sides
    row, gap = round(_ROW_PX * scale), round(4 * scale)
    width, bars = (round(length * scale) for length in _PANEL_PX)
    height = row * len(face.probabilities)
    x = right + gap if right + gap + width <= image.shape[1] else max(0, left - gap - width)
    y = int(np.clip(top, 0, max(0, image.shape[0] - height)))
    _shade(image, (x, y, width, height))
    for index, (name, probability) in enumerate(face.probabilities.items()):
        base = y + row * (index + 1)
        cv2.putText(
            image, name, (x + 3, base - round(3 * scale)), _FONT, 0.36 * scale, _PAPER, 1, 16
        )
        end = x + bars + round((width - bars - 3) * probability)
        cv2.rectangle(
            image, (x + bars, base - row + 3), (end, base - 3), colour_of(index), cv2.FILLED
        )


def _draw_strip(
    image: np.ndarray, face: FaceEmotion, sides: tuple[int, int, int], scale: float
) -> None:
    left, right, bottom = sides
    height = max(4, round(6 * scale))
    ends = np.cumsum([0, *face.probabilities.values()]) * (right - left) + left
    for index, (start, end) in enumerate(itertools.pairwise(ends)):
        corners = (round(start), bottom + 2), (round(end), bottom + 2 + height)
        cv2.rectangle(image, *corners, colour_of(index), cv2.FILLED)


def _shade(image: np.ndarray, area: tuple[int, int, int, int]) -> None:
    left, top, width, height = area
    region = image[top : top + height, left : left + width]
    region[:] = region // 4
