"""Draws an explanation: the face, the same with what counts laid over it, and a bar for each emotion."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from emotion_faces.annotate.draw import colour_of
from emotion_faces.explain import Explanation

_SIDE_PX = 240
_GAP_PX = 8
_HEAD_PX = 28
_BARS_PX = 260
_NAMES_PX = 90  # of the bars' width
_FOR, _AGAINST = (213, 94, 0), (0, 114, 178)
"""RGB: what holds the answer up, and what speaks against it; of Okabe and Ito's palette as all colours here."""
_MOST = 0.75  # of the colour, where the fall is the largest
_PAPER, _INK, _PALE = (255, 255, 255), (20, 20, 20), (225, 225, 225)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_why(explanations: Sequence[Explanation]) -> np.ndarray:
    """Draws the explanations of a picture's faces, one at least, one below the other.

    Returns:
      uint8 RGB [height, 772, 3].
    """
    return np.concatenate([_row(explanation) for explanation in explanations])


def _row(explanation: Explanation) -> np.ndarray:
    width = 4 * _GAP_PX + 2 * _SIDE_PX + _BARS_PX
    row = np.full((_HEAD_PX + _SIDE_PX + _GAP_PX, width, 3), _PAPER, np.uint8)
    face, emotion = explanation.face, explanation.emotion
    text = (
        f"{face.track}: {emotion} {face.probabilities[emotion]:.1%}; a covered spot takes up to "
        f"{100 * max(explanation.largest_fall, 0):.1f} points of it"
    )
    cv2.putText(row, text, (_GAP_PX, _HEAD_PX - 9), _FONT, 0.5, _INK, 1, cv2.LINE_AA)
    pictures = (_enlarged(explanation.square), draw_falls(explanation))
    for index, picture in enumerate(pictures):
        left = _GAP_PX + index * (_SIDE_PX + _GAP_PX)
        row[_HEAD_PX : _HEAD_PX + _SIDE_PX, left : left + _SIDE_PX] = picture
    _draw_bars(row, explanation, 3 * _GAP_PX + 2 * _SIDE_PX)
    return row


def draw_falls(explanation: Explanation, side_px: int = _SIDE_PX) -> np.ndarray:
    """Lays what counts over the face as the model sees it: orange holds the answer up, blue speaks against it.

    Returns:
      uint8 RGB [side_px, side_px, 3].
    """
    gray = np.repeat(explanation.pixels[:, :, np.newaxis], 3, axis=2)
    picture = _enlarged(gray, side_px).astype(np.float32)
    largest = max(float(np.abs(explanation.falls).max()), 1e-9)
    shares = cv2.resize(explanation.falls / largest, (side_px, side_px))[:, :, np.newaxis]
    colour = np.where(shares > 0, np.array(_FOR, np.float32), np.array(_AGAINST, np.float32))
    alpha = _MOST * np.abs(shares)
    return np.rint(picture * (1 - alpha) + colour * alpha).astype(np.uint8)


def _enlarged(square: np.ndarray, side_px: int = _SIDE_PX) -> np.ndarray:
    larger = square.shape[0] > side_px
    interpolation = cv2.INTER_AREA if larger else cv2.INTER_CUBIC
    return cv2.resize(square, (side_px, side_px), interpolation=interpolation)


def _draw_bars(row: np.ndarray, explanation: Explanation, left: int) -> None:
    probabilities = explanation.face.probabilities
    height = min(_SIDE_PX // len(probabilities), 34)
    for index, (name, probability) in enumerate(probabilities.items()):
        top = _HEAD_PX + index * height
        base = top + height // 2 + 5
        start, end = left + _NAMES_PX, left + _BARS_PX - 50
        cv2.putText(row, name[:11], (left, base), _FONT, 0.45, _INK, 1, cv2.LINE_AA)
        corner = (start + round((end - start) * probability), top + height - 6)
        cv2.rectangle(row, (start, top + 6), (end, corner[1]), _PALE, cv2.FILLED)
        cv2.rectangle(row, (start, top + 6), corner, colour_of(index), cv2.FILLED)
        number = f"{probability:.1%}"
        cv2.putText(row, number, (end + 4, base), _FONT, 0.4, _INK, 1, cv2.LINE_AA)
