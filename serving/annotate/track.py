"""Follows faces from frame to frame and smooths what the model says of each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from emotion_faces.annotate.faces import FaceEmotion
from emotion_faces.faces.detector import FaceBox

MAX_GAP_SECS = 1.0
"""A face that comes back to its place within this is the same face.

One that was in the analysed frame before has not been away, however long ago that was.
"""

SMOOTHING_SECS = 0.5
"""Time constant: after this long without change, 63 % of what went before is forgotten."""

MIN_IOU = 0.2
MAX_SHIFT = 0.75
"""How far the centre of a fast face may move, in widths of its box, between analysed frames."""


@dataclasses.dataclass
class _Track:
    number: int
    box: FaceBox
    seconds: float
    probabilities: dict[str, float]


class Tracker:
    """Numbers the faces of one film from 1 in order of appearance.

    A face goes on the track whose last box it overlaps most (IoU of 0.2 or more), else on the one
    whose centre is nearest, within three quarters of the box's width; else it begins a track.

    Args:
      smooth: Give each face the exponential moving average of its track's probabilities.
    """

    def __init__(self, smooth: bool = True):
        self._smooth = smooth
        self._tracks: list[_Track] = []
        self._next_number = 1
        self._seconds = -math.inf  # of the analysed frame before

    def update(self, faces: Sequence[FaceEmotion], seconds: float) -> list[FaceEmotion]:
        """Takes the next analysed frame's faces; returns them, in order, with their tracks.

        Args:
          faces: What was found in the frame.
          seconds: The frame's time; where it goes back, all faces are new.
        """
        self._tracks = [
            track
            for track in self._tracks
            if seconds >= track.seconds
            and (seconds - track.seconds <= MAX_GAP_SECS or track.seconds == self._seconds)
        ]
        self._seconds = seconds
        pairs = sorted(
            (-_likeness(track.box, face.box), track.number, i, track)
            for track in self._tracks
            for i, face in enumerate(faces)
        )
        taken: dict[int, _Track] = {}
        numbers: set[int] = set()
        for likeness, number, i, track in pairs:
            if likeness < 0 and i not in taken and number not in numbers:
                taken[i] = track
                numbers.add(number)
        return [self._advance(taken.get(i), face, seconds) for i, face in enumerate(faces)]

    def _advance(self, track: _Track | None, face: FaceEmotion, seconds: float) -> FaceEmotion:
        if track is None:
            track = _Track(self._next_number, face.box, seconds, dict(face.probabilities))
            self._next_number += 1
            self._tracks.append(track)
        else:
            weight = 1 - math.exp(-(seconds - track.seconds) / SMOOTHING_SECS)
            track.probabilities = {
                name: (1 - weight) * before + weight * face.probabilities[name]
                for name, before in track.probabilities.items()
            }
            track.box, track.seconds = face.box, seconds
        if not self._smooth:
            return dataclasses.replace(face, track=track.number)
        probabilities = dict(track.probabilities)
        label = max(probabilities, key=probabilities.__getitem__)
        return dataclasses.replace(
            face, label=label, probabilities=probabilities, track=track.number
        )


def _likeness(a: FaceBox, b: FaceBox) -> float:
    """1 to 2 for boxes that overlap, 0 to 1 for boxes that are near, 0 for others."""
    width = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
    height = min(a.top + a.height, b.top + b.height) - max(a.top, b.top)
    shared = max(width, 0.0) * max(height, 0.0)
    iou = shared / (a.width * a.height + b.width * b.height - shared)
    if iou >= MIN_IOU:
        return 1 + iou
    shift = math.hypot(
        a.left + a.width / 2 - b.left - b.width / 2, a.top + a.height / 2 - b.top - b.height / 2
    )
    return max(0.0, 1 - shift / (MAX_SHIFT * max(a.width, b.width)))
