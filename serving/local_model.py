"""The model in this process, by ONNX Runtime: no server, no TensorFlow."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_faces.answers import ImageError, Prediction
from emotion_faces.errors import UserError
from emotion_faces.onnx_session import import_runtime, open_session

_INPUT, _OUTPUT = "pixels", "probabilities"
_BATCH = 32
_NOT_WHOLE = ("INVALID_PROTOBUF", "ModelProto does not have a graph")
_PLACE = re.compile(r"/\S+\.(?:cc|h):\d+ (?:[^()]*\([^()]*\) )?")
"""The line and the function of ONNX Runtime's source that its messages begin with."""


class LocalModel:
    """Answers as `emotion_faces.client.EmotionClient` does, from a version's ONNX file.

    Args:
      path: A `model.onnx` that this project exported.
      version: Number of the version that it belongs to.

    Raises:
      UserError: The file can't be read, or is another model.
    """

    def __init__(self, path: pathlib.Path, version: int):
        import_runtime()
        try:
            self._session = open_session(str(path))
        except Exception as error:
            raise UserError(f"{path} can't be loaded: {_reason(error)}") from None
        self.labels = self._read_labels(path)
        self.version = version

    def predict_pixels(self, pixels: npt.NDArray[np.float32]) -> list[Prediction]:
        """Classifies float32 [N, 48, 48, 1] in [0, 1]."""
        answers: list[Prediction] = []
        for start in range(0, len(pixels), _BATCH):
            batch = np.ascontiguousarray(pixels[start : start + _BATCH], np.float32)
            (rows,) = self._session.run([_OUTPUT], {_INPUT: batch})
            answers += [self._prediction(row) for row in rows]
        return answers

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
        shapes = {one.name: one.shape for one in self._session.get_inputs()}
        outputs = {one.name: one.shape for one in self._session.get_outputs()}
        labels = _names(told.get("labels", ""))
        fits = (
            labels
            and [shape[1:] for shape in shapes.values()] == [[48, 48, 1]]
            and _INPUT in shapes
            and outputs.get(_OUTPUT, [])[1:] == [len(labels)]
        )
        if not fits:
            raise UserError(
                f"{path} is not a model of this project: it must take {_INPUT!r} [N, 48, 48, 1], answer "
                f"{_OUTPUT!r}, and name its classes in its metadata"
            )
        return labels


def _names(text: str) -> tuple[str, ...]:
    try:
        names: Any = json.loads(text)
    except ValueError:
        return ()
    good = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if good else ()


def _reason(error: Exception) -> str:
    """Returns in a line why ONNX Runtime did not open a file."""
    text = str(error).strip().partition("\n")[0]
    if any(sign in text for sign in _NOT_WHOLE):
        return "it is empty, cut off or no ONNX file; copy it again from where it was made"
    return _PLACE.sub("", text)
