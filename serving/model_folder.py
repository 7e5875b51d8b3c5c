"""Folders of models: versions, each with a SavedModel, its ONNX file, or both."""

from __future__ import annotations

import pathlib

from emotion_faces.errors import UserError

EXTRA_DIR = "assets.extra"
ONNX_FILE = "model.onnx"
SAVED_MODEL_FILE = "saved_model.pb"


def newest_version(model_dir: pathlib.Path) -> pathlib.Path:
    """The folder with the model: `model_dir` itself, or its highest-numbered folder.

    Raises:
      UserError: there is none.
    """
    if _holds_model(model_dir):
        return model_dir
    versions = [
        path
        for path in (model_dir.iterdir() if model_dir.is_dir() else ())
        if path.name.isdigit() and _holds_model(path)
    ]
    if not versions:
        raise UserError(
            f"{model_dir} holds no SavedModel: give the folder with {SAVED_MODEL_FILE} in it, or the "
            "one with the numbered versions"
        )
    return max(versions, key=lambda path: int(path.name))


def onnx_file(version_dir: pathlib.Path) -> pathlib.Path | None:
    """The version's model as ONNX; None for a version that has none."""
    path = version_dir / EXTRA_DIR / ONNX_FILE
    return path if path.is_file() else None


def _holds_model(folder: pathlib.Path) -> bool:
    return (folder / SAVED_MODEL_FILE).is_file() or onnx_file(folder) is not None
