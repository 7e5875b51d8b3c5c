"""The library's entry: one picture in, its faces and a marked copy out."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable

import numpy as np

from emotion_faces.annotate.draw import draw_faces
from emotion_faces.annotate.faces import Classifier, FaceEmotion, Shot, find_emotions
from emotion_faces.errors import UserError
from emotion_faces.faces.any_turn import AnyTurn
from emotion_faces.faces.detector import CenterFace, FaceDetector
from emotion_faces.faces.pictures import decode_picture
from emotion_faces.names import printable
from emotion_faces.regular_file import read_picture_file


@dataclasses.dataclass(frozen=True)
class AnnotatedImage:
    """The faces, row by row as they are read, and the marked copy: uint8 RGB [height, width, 3]."""

    faces: list[FaceEmotion]
    image: np.ndarray


def annotate_image(
    image: np.ndarray | bytes | str | os.PathLike[str],
    client: Classifier,
    detector: FaceDetector | None = None,
) -> AnnotatedImage:
    """Finds the faces in a picture and asks the model about each.

    Args:
      image: uint8 RGB [height, width, 3], which is not changed; or an encoded picture's bytes; or
        the path of a picture file.
      client: A `emotion_faces.client.EmotionClient`.
      detector: What finds faces; None for a new `emotion_faces.faces.detector.CenterFace()`. Make one
        and pass it when there are many pictures.

    Raises:
      UserError: The picture can't be read, or the server does not answer.
      ValueError: The array has another dtype or shape.
    """
    pixels = image if isinstance(image, np.ndarray) else _read(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(
            "image must be uint8 RGB of shape [height, width, 3]; "
            f"found {pixels.dtype} {list(pixels.shape)}"
        )
    [shot] = find_emotions([Shot(pixels)], AnyTurn(detector or CenterFace()), client)
    marked = pixels.copy()
    draw_faces(marked, shot.faces)
    return AnnotatedImage(shot.faces, marked)


def _read(image: bytes | str | os.PathLike[str]) -> np.ndarray:
    if isinstance(image, bytes):
        return decode_picture(image)
    return read_picture(pathlib.Path(image))


def read_picture(path: pathlib.Path, tell: Callable[[str], object] | None = None) -> np.ndarray:
    """Reads a picture file as uint8 RGB [height, width, 3], upright; `tell` is as `decode_picture` has it.

    Raises:
      UserError: There is no such file, or it is no picture that can be read.
    """
    try:
        data = read_picture_file(path)
    except OSError as error:
        raise UserError(f"{printable(path)} can't be read: {error.strerror}") from None
    return decode_picture(data, printable(path), tell)
