"""Predictions for image files and folders: what `emotion predict` does."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from emotion_faces import client
from emotion_faces.errors import UserError

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png"})
"""What a folder is searched for; a file that is named outright is sent whatever its name."""

_CHUNK_FILES = 64  # files read before they are sent, so that memory does not grow with the folder


def collect_images(paths: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """The image files among files and folders (searched deep), in a stable order, each once.

    Raises:
      UserError: a path does not exist, or a folder holds no image.
    """
    found: dict[pathlib.Path, None] = {}
    for path in paths:
        if path.is_dir():
            images = sorted(
                child
                for child in path.rglob("*")
                if child.suffix.lower() in IMAGE_SUFFIXES and child.is_file()
            )
            if not images:
                suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
                raise UserError(f"the folder {path} holds no image (looked for {suffixes})")
            found.update(dict.fromkeys(images))
        elif path.exists():
            found[path] = None
        else:
            raise UserError(f"there is no file or folder {path}")
    return list(found)


def predict_paths(
    paths: Sequence[str | pathlib.Path],
    server: str = client.DEFAULT_SERVER,
    model_name: str = client.DEFAULT_MODEL_NAME,
    timeout_secs: float = client.DEFAULT_TIMEOUT_SECS,
) -> list[dict[str, Any]]:
    """Asks a model server about every image at `paths`.

    Returns:
      An object per image: `path`, and either `label` and `probabilities` by class name, or `error`.

    Raises:
      UserError: a path does not exist, or the server does not answer.
    """
    images = collect_images([pathlib.Path(path) for path in paths])
    answers: list[dict[str, Any]] = []
    with client.EmotionClient(server, model_name, timeout_secs) as emotion:
        for start in range(0, len(images), _CHUNK_FILES):
            answers += _predict_files(emotion, images[start : start + _CHUNK_FILES])
    return answers


def _predict_files(
    emotion: client.EmotionClient, paths: Sequence[pathlib.Path]
) -> list[dict[str, Any]]:
    errors: dict[pathlib.Path, str] = {}
    readable: dict[pathlib.Path, bytes] = {}
    for path in paths:
        try:
            readable[path] = path.read_bytes()
        except OSError as error:
            errors[path] = f"can't be read: {error.strerror}"
    answers = dict(zip(readable, emotion.predict(list(readable.values())), strict=True))
    return [
        {
            "path": str(path),
            **({"error": errors[path]} if path in errors else _fields(answers[path])),
        }
        for path in paths
    ]


def _fields(answer: client.Prediction | client.ImageError) -> dict[str, Any]:
    if isinstance(answer, client.ImageError):
        return {"error": answer.message}
    return {"label": answer.label, "probabilities": answer.probabilities}


def format_table(answers: Sequence[dict[str, Any]]) -> str:
    """The answers of predict_paths() for a terminal: path, label and its probability, or error."""
    rows = [
        (answer["path"], f"error: {answer['error']}", "")
        if "error" in answer
        else (answer["path"], answer["label"], f"{max(answer['probabilities'].values()):.3f}")
        for answer in answers
    ]
    path_width = max((len(path) for path, _, _ in rows), default=0)
    label_width = max((len(label) for _, label, number in rows if number), default=0)
    return "\n".join(
        f"{path:<{path_width}}  {label:<{label_width}}  {number}".rstrip()
        for path, label, number in rows
    )
