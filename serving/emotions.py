"""Emotions: faces and what they express, in a few lines of Python."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import numbers
import os
import pathlib
import types
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_faces import shipped
from emotion_faces.annotate.faces import (
    FaceEmotion,
    Shot,
    ask_model,
    ask_whole,
    check_unsure_below,
    find_emotions,
    mark_unsure,
)
from emotion_faces.annotate.film import FilmReader
from emotion_faces.annotate.table import column_names, face_rows
from emotion_faces.annotate.track import Tracker
from emotion_faces.errors import UserError
from emotion_faces.explain import Explanation, check_emotion, explain_picture
from emotion_faces.faces.any_turn import AnyTurn
from emotion_faces.faces.detector import DEFAULT_MIN_FACE_PX, CenterFace
from emotion_faces.faces.pictures import decode_picture, upright_rgb
from emotion_faces.local_server import connect

if TYPE_CHECKING:
    import pandas
    from PIL import Image

    Picture = np.ndarray | bytes | str | os.PathLike[str] | Image.Image
    """uint8 RGB [height, width, 3] or gray [height, width]; an encoded picture's bytes; a path; Pillow's image."""

_MOST_CHANNELS = 4
"""An array's last side, up to which it is one picture's channels and not the width of gray ones."""


class Emotions:
    """Finds faces in pictures and films and says what they express.

    Not safe for use by two threads at a time. Use it as a context manager, or `close()` it, where it asks a
    server or a folder with a SavedModel alone.

    >>> import numpy
    >>> emotions = Emotions()
    >>> emotions.labels
    ('angry', 'disgust', 'fear', 'happy', 'neutral', 'sad', 'surprise')
    >>> emotions.faces(numpy.zeros((480, 640, 3), numpy.uint8))
    []

    Args:
      model: A model that comes along by its name, or the path of a folder with one or of an ONNX file; None for
        the best that comes along.
      server: HOST:PORT of a model server, in place of a model.
      tls_ca: PEM certificates that a server with TLS is known by.
      min_face_px: Smaller faces are left out.
      unsure_below: Faces whose likeliest emotion has a smaller probability are labelled `unsure`.

    Raises:
      UserError: There is no such model, it can't be loaded, the server does not answer, or both are given.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        server: str | None = None,
        tls_ca: str | os.PathLike[str] | None = None,
        min_face_px: int = DEFAULT_MIN_FACE_PX,
        unsure_below: float = 0.0,
    ):
        check_unsure_below(unsure_below)
        if model is not None and server is not None:
            raise UserError(
                f"model is {os.fspath(model)!r} and server {server!r}: give one of the two"
            )
        folder = None
        if model is not None or server is None:
            folder = _find_folder(model)
        self._detector = CenterFace(min_face_px=min_face_px)
        self._any_turn = AnyTurn(self._detector)
        self._unsure_below = unsure_below
        self._exit = contextlib.ExitStack()
        self._model = self._exit.enter_context(
            connect(server, folder, tls_ca=None if tls_ca is None else pathlib.Path(tls_ca))
        )
        facts = ask_model(self._model)
        self.labels = facts.labels
        self.version = facts.version

    def __enter__(self) -> Emotions:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends what answers."""
        self._exit.close()

    def faces(self, picture: Picture) -> list[FaceEmotion]:
        """The faces in a picture, row by row, each from left to right.

        Raises:
          UserError: The picture can't be read, or the server does not answer.
          ValueError: An array has another dtype or shape, or it is no picture at all.
        """
        return next(self.batch([picture]))

    def batch(self, pictures: Iterable[Picture]) -> Iterator[list[FaceEmotion]]:
        """The faces in each of many pictures, in order; many faces are asked about at once.

        Raises:
          UserError: One can't be read, or the server does not answer.
          TypeError: It is one path or one picture's bytes, and not several.
        """
        return self._batch(_several(pictures))

    def _batch(self, pictures: Iterable[Picture]) -> Iterator[list[FaceEmotion]]:
        shots = (Shot(_pixels(picture)) for picture in pictures)
        for shot in find_emotions(shots, self._any_turn, self._model):
            yield mark_unsure(shot.faces, self._unsure_below)

    def explain(
        self, picture: Picture, emotion: str | None = None, whole: bool = False
    ) -> list[Explanation]:
        """Why each face in a picture is answered as it is, in the order of `faces`.

        Args:
          picture: As `faces` takes it.
          emotion: The class whose probability is explained; None for each face's likeliest.
          whole: The picture is one cropped face, in which none is looked for.

        Raises:
          UserError: The picture can't be read, there is no such class, or the server does not answer.
        """
        if emotion is not None:
            check_emotion(emotion, self.labels)
        pixels = _pixels(picture)
        return list(explain_picture(pixels, self._any_turn, self._model, emotion, whole))

    def film(
        self, path: str | os.PathLike[str], every: int = 1, smooth: bool = True
    ) -> Iterator[Shot]:
        """A film's frames with their faces, which keep their `track` from frame to frame.

        Args:
          path: The film.
          every: Frames 0, every, 2 * every... are looked at and given.
          smooth: A face's probabilities are averaged over time.

        Raises:
          UserError: `every` is below 1, the film can't be read, or the server does not answer.
        """
        if every < 1:
            raise UserError(f"every is {every}; it must be 1 or more")
        with FilmReader(_path(path)) as film:
            yield from self.frames((one for one in film.frames(every) if one.analysed), smooth)

    def frames(self, shots: Iterable[Shot], smooth: bool = True) -> Iterator[Shot]:
        """A stream's frames with their faces, as `film` gives them.

        Args:
          shots: Frames with their times, such as `Shot(pixels, seconds=2.5)`.
          smooth: A face's probabilities are averaged over time.

        Raises:
          UserError: The server does not answer.
          TypeError: A frame has no time: it is an array, say.
          ValueError: Its pixels are not uint8 RGB or gray, or its time is no number.
        """
        tracker = Tracker(smooth)
        for shot in shots:
            if not isinstance(shot, Shot):
                raise TypeError(
                    f"a frame must be a Shot, found {type(shot).__name__}; its time is wanted too: "
                    "emotion_faces.Shot(pixels, seconds=2.5)"
                )
            if not (isinstance(shot.seconds, numbers.Real) and math.isfinite(shot.seconds)):
                raise ValueError(f"a frame's time must be in seconds, found {shot.seconds!r}")
            if not isinstance(shot.image, np.ndarray):
                raise TypeError(
                    f"a frame's pixels must be an array, found {type(shot.image).__name__}"
                )
            shot.image = _rgb(shot.image)
            [shot] = find_emotions([shot], self._detector, self._model)
            shot.faces = mark_unsure(tracker.update(shot.faces, shot.seconds), self._unsure_below)
            yield shot

    def table(self, pictures: Iterable[Picture]) -> pandas.DataFrame:
        """A row for each face in many pictures, as `emotion annotate` writes it.

        `file` is a path as it was given, or the number of the picture.

        Raises:
          UserError: Pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UserError("a table needs pandas: pip install 'emotion-faces[pandas]'") from None
        given = list(_several(pictures))
        rows = []
        for number, (picture, faces) in enumerate(zip(given, self.batch(given), strict=True)):
            named = isinstance(picture, str | os.PathLike)
            name = os.fspath(picture) if named else str(number)  # type: ignore[arg-type]
            rows += face_rows(Shot(np.empty((0, 0, 3), np.uint8), name, faces=faces))
        return pandas.DataFrame(rows, columns=column_names(self.labels))

    def detect_emotions(self, img: np.ndarray | str) -> list[dict[str, Any]]:
        """As `FER.detect_emotions` of the package `fer` answers.

        Args:
          img: uint8 BGR [height, width, 3], as `cv2.imread` gives it, or a path.

        Returns:
          For each face `box` (left, top, width, height) and `emotions`, probabilities by name.
        """
        return [
            {
                "box": _whole(face),
                "emotions": {name: round(value, 2) for name, value in face.probabilities.items()},
            }
            for face in self.faces(_from_bgr(img))
        ]

    def analyze(
        self, img_path: np.ndarray | str, enforce_detection: bool = True
    ) -> list[dict[str, Any]]:
        """As `DeepFace.analyze` of the package `deepface` answers for `actions=["emotion"]`.

        Args:
          img_path: uint8 BGR [height, width, 3], as `cv2.imread` gives it, or a path.
          enforce_detection: Whether a picture without a face is an error; where not, the whole picture is
            taken for a face, with a `face_confidence` of 0.

        Returns:
          For each face `emotion` (percentages by name), `dominant_emotion`, `region` and `face_confidence`.

        Raises:
          ValueError: There is no face.
        """
        pixels = _pixels(_from_bgr(img_path))
        faces = self.faces(pixels)
        if not faces:
            if enforce_detection:
                raise ValueError(
                    "no face was found in the picture; enforce_detection=False allows that"
                )
            _, whole = ask_whole(pixels, self._model)
            faces = [dataclasses.replace(whole, box=dataclasses.replace(whole.box, score=0.0))]
        return [
            {
                "emotion": {name: 100 * value for name, value in face.probabilities.items()},
                "dominant_emotion": face.top,
                "region": dict(zip("xywh", _whole(face), strict=True)),
                "face_confidence": face.box.score,
            }
            for face in faces
        ]


def _find_folder(model: str | os.PathLike[str] | None) -> pathlib.Path:
    if model is not None and (os.path.exists(model) or not isinstance(model, str)):
        return pathlib.Path(model)
    if model is not None and os.path.basename(model) != model:
        raise UserError(f"there is no file or folder {model}")
    try:
        return shipped.find_model(model).folder
    except UserError as error:
        raise UserError(str(error).removeprefix("--")) from None


def _several(pictures: Iterable[Picture]) -> Iterable[Picture]:
    one = isinstance(pictures, str | bytes | bytearray | memoryview | os.PathLike)
    if isinstance(pictures, np.ndarray):  # one would be gone through row by row
        one = pictures.ndim == 2 or (pictures.ndim == 3 and pictures.shape[2] <= _MOST_CHANNELS)
    if one:
        raise TypeError(
            f"several pictures are wanted, found one {type(pictures).__name__}: give a list of them, or ask "
            "faces() about one"
        )
    return pictures


def _pixels(picture: Picture) -> np.ndarray:
    if isinstance(picture, bytes | bytearray | memoryview):
        return decode_picture(bytes(picture))
    if isinstance(picture, str | os.PathLike):
        from emotion_faces.annotate.image import read_picture

        return read_picture(_path(picture))
    if isinstance(picture, np.ndarray):
        return _rgb(picture)
    from PIL import Image

    if isinstance(picture, Image.Image):
        return upright_rgb(picture)
    raise _no_picture(type(picture).__name__)


def _path(name: str | os.PathLike[str]) -> pathlib.Path:
    if isinstance(name, str) and "://" in name:
        from emotion_faces.urls import is_url, shown

        if is_url(name):
            raise UserError(
                f"{shown(name)} is a URL, and none is opened here: fetch it, and give its bytes or a file"
            )
    return pathlib.Path(name)


def _rgb(picture: np.ndarray) -> np.ndarray:
    if picture.dtype == np.uint8 and picture.size:
        if picture.ndim == 2:
            return np.repeat(picture[:, :, np.newaxis], 3, axis=2)
        if picture.ndim == 3 and picture.shape[2] == 3:
            return picture
    raise _no_picture(f"{picture.dtype} {list(picture.shape)}")


def _no_picture(found: str) -> ValueError:
    return ValueError(
        "a picture must be uint8 RGB of shape [height, width, 3] or gray of shape [height, width], an "
        f"encoded picture's bytes, a path or an image of Pillow's; found {found}"
    )


def _from_bgr(picture: np.ndarray | str) -> np.ndarray | str:
    if isinstance(picture, np.ndarray) and picture.ndim == 3:
        return np.ascontiguousarray(picture[:, :, ::-1])
    return picture


def _whole(face: FaceEmotion) -> tuple[int, int, int, int]:
    box = face.box
    return round(box.left), round(box.top), round(box.width), round(box.height)
