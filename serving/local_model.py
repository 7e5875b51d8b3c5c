"""The model in this process, by ONNX Runtime: no server, no TensorFlow."""

from __future__ import annotations

import json
import mmap
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_faces import shipped
from emotion_faces.addresses import DEFAULT_TIMEOUT_SECS
from emotion_faces.answers import ImageError, Prediction
from emotion_faces.cache import cache_dir
from emotion_faces.errors import UserError
from emotion_faces.onnx_session import import_runtime, open_session, within

_INPUT, _OUTPUT = "pixels", "probabilities"
_BATCH = 32
_NOT_WHOLE = ("INVALID_PROTOBUF", "ModelProto does not have a graph", "No graph was found in")
_PLACE = re.compile(r"/\S+\.(?:cc|h):\d+ (?:[^()]*\([^()]*\) )?")
"""The line and the function of ONNX Runtime's source that its messages begin with."""

_TENSOR, _SLACK = "tensor(float)", 0.01
_LOCATION = b"location"
_OTHER_FILE = re.compile(rb"(?:\x0a|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)" + _LOCATION)
"""How a tensor names the file that it lies in: field 1 of 8 bytes in protobuf, whose numbers may be padded."""


class LocalModel:
    """Answers as `emotion_faces.client.EmotionClient` does, from a version's ONNX file.

    Args:
      path: A `model.onnx` that this project exported.
      version: Number of the version that it belongs to.
      timeout_secs: Within this it answers about up to 32 faces.

    Raises:
      UserError: The file can't be read, or is another model.
    """

    def __init__(
        self, path: pathlib.Path, version: int, timeout_secs: float = DEFAULT_TIMEOUT_SECS
    ):
        import_runtime()
        try:
            _check_one_file(path)
            self._session = open_session(str(path), trusted=_comes_along(path))
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{path} can't be loaded: {_reason(error)}") from None
        self._path = path
        self._timeout_secs = timeout_secs
        self.labels = self._read_labels(path)
        self.version = version

    def predict_pixels(self, pixels: npt.NDArray[np.float32]) -> list[Prediction]:
        """Classifies float32 [N, 48, 48, 1] in [0, 1].

        Raises:
          UserError: The model fails, takes too long, or answers something else than probabilities.
        """
        answers: list[Prediction] = []
        for start in range(0, len(pixels), _BATCH):
            batch = np.ascontiguousarray(pixels[start : start + _BATCH], np.float32)
            answers += [self._prediction(row) for row in self._probabilities(batch)]
        return answers

    def _probabilities(self, batch: np.ndarray) -> np.ndarray:
        import onnxruntime

        options = onnxruntime.RunOptions()
        try:
            (rows,) = within(
                self._timeout_secs, lambda: self._session.run([_OUTPUT], {_INPUT: batch}, options)
            )
        except Exception as error:
            raise UserError(f"{self._path} does not answer: {_reason(error)}") from None
        finally:
            options.terminate = True  # what is left behind ends after its operator
        if (
            rows.shape != (len(batch), len(self.labels))
            or not (rows >= -_SLACK).all()  # nor where it is no number
            or not (np.abs(rows.sum(axis=1) - 1) <= _SLACK).all()
        ):
            raise UserError(
                f"{self._path} answers no probabilities of {len(self.labels)} classes, but for "
                f"{len(batch)} faces numbers of shape {list(rows.shape)} from {rows.min(initial=0):g} to "
                f"{rows.max(initial=0):g}"
            )
        return rows

    def predict(self, images: Sequence[bytes]) -> list[Prediction | ImageError]:
        """Classifies encoded images (JPEG or PNG, any size), one answer each, in order."""
        from emotion_faces.gray_square import gray_square

        answers: list[Prediction | ImageError] = []
        for start in range(0, len(images), _BATCH):
            found: list[np.ndarray | ImageError] = []
            for data in images[start : start + _BATCH]:
                try:
                    found.append(gray_square(data))
                except UserError as error:
                    found.append(ImageError("INVALID_ARGUMENT", str(error)))
            read = [one for one in found if isinstance(one, np.ndarray)]
            predictions = iter(self.predict_pixels(np.stack(read)) if read else [])
            answers += [one if isinstance(one, ImageError) else next(predictions) for one in found]
        return answers

    def _prediction(self, row: np.ndarray) -> Prediction:
        probabilities = dict(zip(self.labels, row.tolist(), strict=True))
        return Prediction(self.labels[int(row.argmax())], probabilities, self.version)

    def _read_labels(self, path: pathlib.Path) -> tuple[str, ...]:
        told = self._session.get_modelmeta().custom_metadata_map
        takes = [(one.name, one.type, one.shape[1:]) for one in self._session.get_inputs()]
        any_number = not any(isinstance(one.shape[0], int) for one in self._session.get_inputs())
        gives = [(one.name, one.type, one.shape[1:]) for one in self._session.get_outputs()]
        labels = _names(told.get("labels", ""))
        fits = (
            labels
            and takes == [(_INPUT, _TENSOR, [48, 48, 1])]
            and any_number
            and (_OUTPUT, _TENSOR, [len(labels)]) in gives
        )
        if not fits:
            raise UserError(
                f"{path} is not a model of this project: it must take {_INPUT!r} float32 [N, 48, 48, 1], "
                f"answer {_OUTPUT!r} float32 [N, C], and name its C classes, each otherwise, in its metadata"
            )
        return labels


def _comes_along(path: pathlib.Path) -> bool:
    """Whether the project made the file: loading another one could take hours, which nothing ends."""
    parents = path.resolve().parents
    if shipped.FOLDER.resolve() in parents:
        return True
    try:
        return cache_dir().resolve() in parents
    except OSError:  # no cache can be written
        return False


def _check_one_file(path: pathlib.Path) -> None:
    """Refuses a model whose weights lie in other files: it may name any file of this computer."""
    if path.stat().st_size == 0:
        return  # for ONNX Runtime to refuse
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data.find(_LOCATION) >= 0 and _OTHER_FILE.search(data):  # the first is much faster
            raise UserError(f"{path} has weights in other files, which are not read: make it one")


def _names(text: str) -> tuple[str, ...]:
    try:
        names: Any = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    good = (
        isinstance(names, list)
        and all(isinstance(name, str) and name.strip() and name.isprintable() for name in names)
        and len(set(names)) == len(names)
    )
    return tuple(names) if good else ()


def _reason(error: Exception) -> str:
    """Returns in a line why ONNX Runtime did not open or run a file."""
    text = str(error).strip().partition("\n")[0]
    if any(sign in text for sign in _NOT_WHOLE):
        return "it is empty, cut off or no ONNX file; copy it again from where it was made"
    return _PLACE.sub("", text)
