"""From images to faces with their emotions, many images to a request."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import cv2
import numpy as np

from emotion_faces.answers import Prediction
from emotion_faces.errors import UsageError
from emotion_faces.faces.crop import FACE_SIZE_PX, crop_faces
from emotion_faces.faces.detector import FaceBox, FaceDetector
from emotion_faces.faces.quality import Quality, measure_quality
from emotion_faces.gray_square import gray_square

MAX_CHUNK_SHOTS = 32
MAX_CHUNK_BYTES = 128 * 1024 * 1024
"""Pixels held at a time; memory stays flat however long the film or large the folder."""

UNSURE = "unsure"
"""The label of a face that no emotion is likely enough for."""


class Classifier(Protocol):
    """The part of `emotion_faces.client.EmotionClient` that is used here."""

    def predict_pixels(self, pixels: np.ndarray) -> list[Prediction]:
        """Classifies float32 [N, 48, 48, 1] in [0, 1]."""


@dataclasses.dataclass(frozen=True)
class FaceEmotion:
    """A face in an image; `probabilities` add up to 1; `track` tells a film's faces apart.

    `label` is the likeliest emotion, or `unsure`; `quality` is None where nobody measured it.
    """

    box: FaceBox
    label: str
    probabilities: dict[str, float]
    track: int
    model_version: int
    quality: Quality | None = None

    @property
    def top(self) -> str:
        """The likeliest emotion, however likely."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


@dataclasses.dataclass
class Shot:
    """One picture, or one frame of a film: uint8 RGB [height, width, 3].

    `analysed` is False for a frame that is passed over; it has no faces of its own then.
    """

    image: np.ndarray
    name: str = ""
    frame: int = 0
    seconds: float = 0.0
    analysed: bool = True
    faces: list[FaceEmotion] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class ModelFacts:
    """What the model says of itself: its class names, in its order, and its version."""

    labels: tuple[str, ...]
    version: int


def ask_model(classifier: Classifier) -> ModelFacts:
    """Asks about one black image, so that a server that is down is known before any work."""
    blank = np.zeros((1, FACE_SIZE_PX, FACE_SIZE_PX, 1), np.float32)
    prediction = classifier.predict_pixels(blank)[0]
    return ModelFacts(tuple(prediction.probabilities), prediction.model_version)


def find_emotions(
    shots: Iterable[Shot], detector: FaceDetector, classifier: Classifier
) -> Iterator[Shot]:
    """Gives each analysed shot its faces, as they are read, numbered from 1; the order is kept."""
    for chunk in chunks(shots):
        boxes = [as_read(detector(shot.image)) if shot.analysed else [] for shot in chunk]
        crops = [crop_faces(shot.image, b) for shot, b in zip(chunk, boxes, strict=True) if b]
        asked: Iterator[tuple[np.ndarray, Prediction]] = iter(())
        if crops:
            pixels = np.concatenate(crops)
            asked = zip(pixels, classifier.predict_pixels(pixels), strict=True)
        for shot, found in zip(chunk, boxes, strict=True):
            shot.faces = [_answered(box, *next(asked), i) for i, box in enumerate(found, 1)]
        yield from chunk


def as_read(boxes: Iterable[FaceBox]) -> list[FaceBox]:
    """Orders boxes as a page is read: row by row, each from left to right.

    A box begins a new row where its middle is below the lower edge of the row's first box.
    """
    rows: list[list[FaceBox]] = []
    for box in sorted(boxes, key=lambda box: (_middle(box), box.left)):
        if rows and _middle(box) < rows[-1][0].top + rows[-1][0].height:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [box for row in rows for box in sorted(row, key=lambda box: (box.left, box.top))]


def _middle(box: FaceBox) -> float:
    return box.top + box.height / 2


def check_unsure_below(probability: float) -> None:
    """Makes sure that a bound is a probability.

    Raises:
      UsageError: It is not.
    """
    if not 0 <= probability <= 1:
        raise UsageError(f"--unsure-below is {probability}; it must be a probability, 0 to 1")


def mark_unsure(faces: Sequence[FaceEmotion], below: float) -> list[FaceEmotion]:
    """Labels as `unsure` the faces whose likeliest emotion has a probability below `below`."""
    return [
        dataclasses.replace(face, label=UNSURE) if face.probabilities[face.top] < below else face
        for face in faces
    ]


def face_emotion(box: FaceBox, prediction: Prediction, track: int) -> FaceEmotion:
    """Joins a box and the model's answer about it."""
    return FaceEmotion(
        box, prediction.label, prediction.probabilities, track, prediction.model_version
    )


def ask_whole(image: np.ndarray, classifier: Classifier) -> tuple[np.ndarray, FaceEmotion]:
    """Asks about a picture that is one cropped face, as `emotion predict` takes it.

    Args:
      image: uint8 RGB [height, width, 3].
      classifier: Asks the model.

    Returns:
      float32 [48, 48, 1] in [0, 1], what the model saw; and its answer, with the whole picture as the box.
    """
    height, width = image.shape[:2]
    png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    pixels = gray_square(png)
    [answer] = classifier.predict_pixels(pixels[np.newaxis])
    return pixels, face_emotion(FaceBox(0.0, 0.0, width, height), answer, 1)


def _answered(box: FaceBox, pixels: np.ndarray, answer: Prediction, track: int) -> FaceEmotion:
    quality = measure_quality(box, pixels)
    return dataclasses.replace(face_emotion(box, answer, track), quality=quality)


def chunks(shots: Iterable[Shot]) -> Iterator[Sequence[Shot]]:
    """Cuts the stream after 32 shots or 128 MiB of pixels."""
    chunk: list[Shot] = []
    size = 0
    for shot in shots:
        chunk.append(shot)
        size += shot.image.nbytes
        if len(chunk) >= MAX_CHUNK_SHOTS or size >= MAX_CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
