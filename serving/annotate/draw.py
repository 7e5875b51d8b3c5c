"""Marks faces on an image: box, label with its probability, and a bar for each emotion."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from emotion_faces.annotate.faces import UNSURE, FaceEmotion
from emotion_faces.faces.detector import FaceBox
from emotion_faces.faces.region import Region

Colour = tuple[int, int, int]
Area = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""

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


def draw_faces(
    image: np.ndarray, faces: Sequence[FaceEmotion], region: Region | None = None
) -> None:
    """Draws on uint8 RGB [height, width, 3], in place; a region that was looked at gets a thin frame.

    A face gets a panel with the emotions by name beside it, or, where that would be larger than
    the face or hide another one, a strip below it, divided as the probabilities are.
    """
    scale = float(np.clip(max(image.shape[:2]) / 900, 0.8, 4))
    if region:
        left, top, width, height = region
        cv2.rectangle(image, (left, top), (left + width - 1, top + height - 1), _PAPER, 1)
    areas = [_whole(face.box) for face in faces]
    for face, area in zip(faces, areas, strict=True):
        colour = colour_of(list(face.probabilities).index(face.top))
        left, top, width, height = area
        corners = (left, top), (left + width, top + height)
        cv2.rectangle(image, *corners, _INK, round(4 * scale))
        cv2.rectangle(image, *corners, colour, round(2 * scale))
        panel = _panel_area(image, area, len(face.probabilities), areas, scale)
        if panel is None:
            _draw_strip(image, face, area, scale)
        else:
            _draw_panel(image, face, panel, scale)
        text = f"{face.top} {face.probabilities[face.top]:.0%}"
        text = f"{UNSURE}: {text}" if face.label == UNSURE != face.top else text
        _draw_tag(image, text, (left, top), colour, scale)


def _whole(box: FaceBox) -> Area:
    return round(box.left), round(box.top), round(box.width), round(box.height)


def _panel_area(
    image: np.ndarray, face: Area, rows: int, faces: Sequence[Area], scale: float
) -> Area | None:
    left, top, face_width, face_height = face
    gap, width, height = (
        round(4 * scale),
        round(_PANEL_PX[0] * scale),
        round(_ROW_PX * scale) * rows,
    )
    if face_height < 0.75 * height:
        return None
    y = max(0, min(top, image.shape[0] - height))
    for x in (left + face_width + gap, left - gap - width):
        area = (x, y, width, height)
        inside = x >= 0 and x + width <= image.shape[1]
        if inside and not any(_overlap(area, other) for other in faces if other != face):
            return area
    return None


def _overlap(a: Area, b: Area) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


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


def _draw_panel(image: np.ndarray, face: FaceEmotion, area: Area, scale: float) -> None:
    x, y, width, _ = area
    row, bars = round(_ROW_PX * scale), round(_PANEL_PX[1] * scale)
    _shade(image, area)
    for index, (name, probability) in enumerate(face.probabilities.items()):
        base = y + row * (index + 1)
        corner = (x + 3, base - round(3 * scale))
        cv2.putText(image, name, corner, _FONT, 0.36 * scale, _PAPER, 1, cv2.LINE_AA)
        end = x + bars + round((width - bars - 3) * probability)
        cv2.rectangle(
            image, (x + bars, base - row + 3), (end, base - 3), colour_of(index), cv2.FILLED
        )


def _draw_strip(image: np.ndarray, face: FaceEmotion, area: Area, scale: float) -> None:
    left, top, width, box_height = area
    bottom, height = top + box_height + 2, max(4, round(6 * scale))
    ends = np.cumsum([0, *face.probabilities.values()]) * width + left
    for index, (start, end) in enumerate(itertools.pairwise(ends)):
        corners = (round(start), bottom), (round(end), bottom + height)
        cv2.rectangle(image, *corners, colour_of(index), cv2.FILLED)


def _shade(image: np.ndarray, area: Area) -> None:
    left, top, width, height = area
    region = image[top : top + height, left : left + width]
    region[:] = region // 4
