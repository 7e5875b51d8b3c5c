"""Why an answer: which parts of a face the model's probability rests on, by covering them one by one.

Occlusion (Zeiler and Fergus, 2014, https://arxiv.org/abs/1311.2901, section 4) asks the model itself and nothing
of its inside, so that it explains a server's answers and an ONNX file's as well. Grad-CAM needs TensorFlow and a
layer's name, and the deep network's last maps are of 6 x 6.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from emotion_faces.annotate.faces import (
    Classifier,
    FaceEmotion,
    Shot,
    ask_whole,
    find_emotions,
)
from emotion_faces.errors import UsageError
from emotion_faces.faces.crop import FACE_SIZE_PX, crop_faces, cut_square
from emotion_faces.faces.detector import FaceDetector

COVER_PX = 12
"""Side of a cover, of the face's 48 pixels; `benchmarks/faces/occlusion.py` compares sides."""

STEP_PX = 4
"""From one cover to the next."""


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What an answer rests on.

    Attributes:
      face: The face with its answer.
      square: uint8 RGB [side, side, 3], the face as it is cut out of the picture.
      pixels: uint8 [48, 48], the face as the model sees it.
      emotion: The emotion that is explained.
      falls: float32 [48, 48], by how much the emotion's probability falls, on average, while a pixel is
        covered; below 0 where it rises.
    """

    face: FaceEmotion
    square: np.ndarray
    pixels: np.ndarray
    emotion: str
    falls: np.ndarray

    @property
    def largest_fall(self) -> float:
        """The largest of `falls`: near 0 where no part alone decides."""
        return float(self.falls.max())


def explain_picture(
    image: np.ndarray,
    detector: FaceDetector,
    classifier: Classifier,
    emotion: str | None = None,
    whole: bool = False,
) -> Iterator[Explanation]:
    """Finds the faces of a picture and explains the answer about each, in their order.

    Args:
      image: uint8 RGB [height, width, 3].
      detector: Finds the faces.
      classifier: Asks the model.
      emotion: The class whose probability is explained; None for each face's likeliest.
      whole: The picture is one cropped face.

    Raises:
      UserError: The model has no such class, or the server does not answer.
    """
    if whole:
        yield explain_whole(image, classifier, emotion)
        return
    [shot] = find_emotions([Shot(image)], detector, classifier)
    for face in shot.faces:
        yield explain_face(image, face, classifier, emotion)


def explain_face(
    image: np.ndarray, face: FaceEmotion, classifier: Classifier, emotion: str | None = None
) -> Explanation:
    """Explains the answer about a face of a picture.

    Args:
      image: uint8 RGB [height, width, 3].
      face: One of its faces, as `find_emotions` gives them.
      classifier: Asks the model that answered.
      emotion: The class whose probability is explained; None for the likeliest.

    Raises:
      UserError: The model has no such class, or the server does not answer.
    """
    emotion = _checked(emotion, face)
    pixels = crop_faces(image, [face.box])[0]
    falls = probability_falls(pixels, classifier, emotion)
    return Explanation(face, cut_square(image, face.box), _levels(pixels), emotion, falls)


def explain_whole(
    image: np.ndarray, classifier: Classifier, emotion: str | None = None
) -> Explanation:
    """Explains the answer about a picture that is one cropped face, as `emotion predict` takes it.

    Args and errors are those of `explain_face`.
    """
    pixels, face = ask_whole(image, classifier)
    emotion = _checked(emotion, face)
    side = max(image.shape[:2])
    square = cv2.resize(image, (side, side))
    falls = probability_falls(pixels, classifier, emotion)
    return Explanation(face, square, _levels(pixels), emotion, falls)


def probability_falls(
    pixels: np.ndarray, classifier: Classifier, emotion: str, cover_px: int = COVER_PX
) -> np.ndarray:
    """Asks about a face as it is and about copies of it, on each of which a square is covered.

    Args:
      pixels: float32 [48, 48, 1] in [0, 1], the face as the model takes it.
      classifier: Asks the model.
      emotion: One of its classes.
      cover_px: Side of a square, 1 to 48.

    Returns:
      float32 [48, 48]: by how much the emotion's probability falls while a pixel is covered, the mean over the
      copies on which it is.
    """
    covers = make_covers(cover_px)
    plain = pixels[:, :, 0]
    # By the face's own light, and without an edge that the model could take for a feature.
    blurred = cv2.GaussianBlur(plain, (0, 0), cover_px, borderType=cv2.BORDER_REPLICATE)
    copies = np.concatenate([plain[np.newaxis], np.where(covers, blurred, plain)])
    answers = classifier.predict_pixels(copies[..., np.newaxis].astype(np.float32))
    left = np.array([answer.probabilities[emotion] for answer in answers], np.float32)
    weights = covers.reshape(len(covers), -1).astype(np.float32)
    mean = (left[0] - left[1:]) @ weights / weights.sum(axis=0)
    return mean.reshape(plain.shape).astype(np.float32)


def make_covers(cover_px: int = COVER_PX) -> np.ndarray:
    """Squares over a face, four pixels apart, in rows; those at its edges are cut off by them.

    Returns:
      bool [N, 48, 48], True where a copy is covered.
    """
    starts = np.arange(STEP_PX - cover_px, FACE_SIZE_PX, STEP_PX)
    places = np.arange(FACE_SIZE_PX)
    lines = (places >= starts[:, None]) & (places < starts[:, None] + cover_px)
    covers = lines[:, None, :, None] & lines[None, :, None, :]
    return covers.reshape(-1, FACE_SIZE_PX, FACE_SIZE_PX)


def check_emotion(emotion: str, known: Iterable[str]) -> None:
    """Makes sure that an emotion is one of a model's classes.

    Raises:
      UsageError: It is not.
    """
    names = list(known)
    if emotion not in names:
        raise UsageError(f"the model has no class {emotion!r}; it has {', '.join(names)}")


def _checked(emotion: str | None, face: FaceEmotion) -> str:
    if emotion is None:
        return face.top
    check_emotion(emotion, face.probabilities)
    return emotion


def _levels(pixels: np.ndarray) -> np.ndarray:
    return np.rint(pixels[:, :, 0] * 255).astype(np.uint8)
