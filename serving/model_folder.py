"""Folders of models: versions, each with a SavedModel, its ONNX files, or both."""

from __future__ import annotations

import pathlib

from emotion_faces.errors import UserError

EXTRA_DIR = "assets.extra"
ONNX_FILE = "model.onnx"
INT8_FILE = "model.int8.onnx"
SAVED_MODEL_FILE = "saved_model.pb"

MAX_VERSION = 2**63 - 1
"""The largest number of a version: the protocols have it as an int64."""


def version_number(name: str) -> int | None:
    """The version that a folder's name says: digits alone (000123 is 123), and no number above MAX_VERSION.

    Any other folder is none of a version, as TensorFlow Serving has it: None.
    """
    if not (name.isascii() and name.isdigit()):
        return None
    version = int(name) if len(name) < 99 else MAX_VERSION + 1  # int() takes long over many digits
    return version if version <= MAX_VERSION else None


def newest_version(model_dir: pathlib.Path) -> pathlib.Path:
    """The folder with the model: `model_dir` itself, or its highest-numbered folder.

    Args:
      model_dir: A version, a folder of versions, or the ONNX file of a version.

    Raises:
      UserError: There is none.
    """
    if model_dir.is_file():
        return model_dir.parent.parent
    if _holds_model(model_dir):
        return model_dir
    versions = [
        (version, path)
        for path in (model_dir.iterdir() if model_dir.is_dir() else ())
        if (version := version_number(path.name)) is not None and _holds_model(path)
    ]
    if not versions:
        raise UserError(
            f"{model_dir} holds no SavedModel: give the folder with {SAVED_MODEL_FILE} in it, or the "
            "one with the numbered versions"
        )
    return max(versions)[1]


def onnx_file(model_dir: pathlib.Path) -> pathlib.Path | None:
    """The model as ONNX; None for a version that has none.

    Args:
      model_dir: As `newest_version` takes it; an ONNX file is that one.

    Raises:
      UserError: There is no model.
    """
    if model_dir.is_file():
        return model_dir
    path = newest_version(model_dir) / EXTRA_DIR / ONNX_FILE
    return path if path.is_file() else None


def int8_file(model_dir: pathlib.Path) -> pathlib.Path:
    """The model as ONNX in 8 bits.

    Raises:
      UserError: There is no model, or none in 8 bits.
    """
    path = newest_version(model_dir) / EXTRA_DIR / INT8_FILE
    if not path.is_file():
        raise UserError(
            f"--int8: there is no {path}: a run writes it with train.int8, where it costs less than half a "
            "point of accuracy"
        )
    return path


def _holds_model(folder: pathlib.Path) -> bool:
    return any((folder / name).is_file() for name in (SAVED_MODEL_FILE, f"{EXTRA_DIR}/{ONNX_FILE}"))
