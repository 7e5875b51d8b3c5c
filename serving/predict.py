"""Predictions for image files and folders: what `emotion predict` does."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import pathlib
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from emotion_faces.addresses import DEFAULT_MODEL_NAME, DEFAULT_SERVER, DEFAULT_TIMEOUT_SECS
from emotion_faces.answers import ImageError, Prediction
from emotion_faces.errors import UserError
from emotion_faces.faces.pictures import decode_picture, open_picture, tell_of_several
from emotion_faces.file_kind import FileKind, files_below, kind_of_file
from emotion_faces.names import printable
from emotion_faces.picture_bytes import (
    MAX_SERVED_BYTES,
    MAX_SERVED_PIXELS,
    MODEL_FORMATS,
    READ_FORMATS,
    picture_format,
)
from emotion_faces.regular_file import read_picture_file
from emotion_faces.upright import orientation_of
from emotion_faces.urls import UrlPolicy, fetch, is_url, shown

MAX_PICTURE_BYTES = 64 * 1024 * 1024
"""Of a picture that is fetched from a URL."""

_CHUNK_FILES = 64  # files read before they are sent, so that memory does not grow with the folder
_MAX_CONVERTED_PIXELS = (
    2_000_000  # of what is sent in place of another format; the model takes 48 x 48
)

_INPUT_NAME = re.compile(r"^image_bytes\[\d+\] ")  # what the server calls it; a person has the path


def collect_images(paths: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """The pictures among files and folders (searched deep), in a stable order, each once.

    In folders the content decides, and the suffix where the content is broken; a file that is named
    outright is taken whatever it is.

    Raises:
      UserError: A path does not exist, or a folder holds no image.
    """
    found: dict[pathlib.Path, None] = {}
    for path in paths:
        if path.is_dir():
            images = [
                child for child in files_below(path) if kind_of_file(child) is FileKind.PICTURE
            ]
            if not images:
                raise UserError(
                    f"the folder {printable(path)} holds no image "
                    f"(looked for {', '.join(READ_FORMATS)})"
                )
            found.update(dict.fromkeys(images))
        elif path.exists():
            found[path] = None
        else:
            raise UserError(f"there is no file or folder {printable(path)}")
    return list(found)


def fit_for_model(data: bytes, tell: Callable[[str], object] | None = None) -> bytes:
    """A picture as a served model takes it: upright, gray or RGB JPEG or PNG, within its limits.

    Such a one is given back as it is; any other picture that can be read as a gray PNG. `tell` is as
    `decode_picture` has it.

    Raises:
      UserError: The bytes are no picture that can be read.
    """
    if _is_fit(data, tell):
        return data
    from PIL import Image

    # By the luma of ITU-R BT.601, as the model takes it of a JPEG in colour.
    gray = Image.fromarray(decode_picture(data, "it", tell)).convert("L")
    factor = math.isqrt(gray.width * gray.height // _MAX_CONVERTED_PIXELS)
    buffer = io.BytesIO()
    (gray.reduce(factor) if factor > 1 else gray).save(buffer, "PNG")
    return buffer.getvalue()


def _is_fit(data: bytes, tell: Callable[[str], object] | None) -> bool:
    if picture_format(data) not in MODEL_FORMATS or len(data) > MAX_SERVED_BYTES:
        return False
    with open_picture(data, "it") as image:
        if image.width * image.height > MAX_SERVED_PIXELS:
            return False
        if image.mode == "CMYK" or orientation_of(image) != 1:
            return False
        tell_of_several(image, "it", tell)
        return True


class Model(Protocol):
    """What answers: `emotion_faces.client.EmotionClient` or `emotion_faces.local_model.LocalModel`."""

    def predict(self, images: Sequence[bytes]) -> list[Prediction | ImageError]:
        """Classifies encoded images, one answer each, in order."""


def predict_paths(
    paths: Sequence[str | pathlib.Path],
    server: str = DEFAULT_SERVER,
    model_name: str = DEFAULT_MODEL_NAME,
    timeout_secs: float = DEFAULT_TIMEOUT_SECS,
) -> list[dict[str, Any]]:
    """Asks a model server about every image at `paths`; see `predict_files`."""
    from emotion_faces.client import EmotionClient

    with EmotionClient(server, model_name, timeout_secs) as emotion:
        return predict_files(paths, emotion)


def predict_files(
    paths: Sequence[str | pathlib.Path],
    model: Model,
    policy: UrlPolicy | None = None,
    tell: Callable[[str], object] | None = None,
) -> list[dict[str, Any]]:
    """Asks a model about every image at `paths`.

    Args:
      paths: Files and folders, and URLs, as text, where there is a policy for them.
      model: What answers.
      policy: Which URLs may be opened; None takes every text for a path.
      tell: Is told in words of each file that holds several pictures, of which the first is read.

    Returns:
      An object per image: `path`, and either `label` and `probabilities` by class name, or `error`.

    Raises:
      UserError: A path does not exist, or the server does not answer.
    """
    urls = dict.fromkeys(p for p in paths if policy and isinstance(p, str) and is_url(p))
    with contextlib.ExitStack() as stack:
        fetched = _fetch(urls, policy, stack) if policy and urls else {}
        images = collect_images([fetched.get(str(path), pathlib.Path(path)) for path in paths])
        urls_of = {place: shown(url) for url, place in fetched.items()}
        names = {path: urls_of.get(path, printable(path)) for path in images}
        answers: list[dict[str, Any]] = []
        for start in range(0, len(images), _CHUNK_FILES):
            chunk = images[start : start + _CHUNK_FILES]
            answers += _predict_chunk(model, {path: names[path] for path in chunk}, tell)
    return answers


def _fetch(
    urls: Iterable[str], policy: UrlPolicy, stack: contextlib.ExitStack
) -> dict[str, pathlib.Path]:
    """Fetches URLs into a folder that the stack removes; returns where each is."""
    policy = dataclasses.replace(policy, max_bytes=MAX_PICTURE_BYTES)
    folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emotion-")))
    fetched = {url: folder / str(number) for number, url in enumerate(urls)}
    for url, place in fetched.items():
        fetch(url, place, policy)
    return fetched


def _predict_chunk(
    model: Model, names: dict[pathlib.Path, str], tell: Callable[[str], object] | None
) -> list[dict[str, Any]]:
    errors: dict[pathlib.Path, str] = {}
    readable: dict[pathlib.Path, bytes] = {}
    for path, name in names.items():
        told: list[str] = []
        try:
            readable[path] = fit_for_model(read_picture_file(path), told.append)
        except OSError as error:
            errors[path] = f"can't be read: {error.strerror}"
        except UserError as error:
            errors[path] = str(error)
        if tell:
            for words in told:
                tell(f"{name}: {words}")
    answers = dict(zip(readable, model.predict(list(readable.values())), strict=True))
    return [
        {
            "path": name,
            **({"error": errors[path]} if path in errors else _fields(answers[path])),
        }
        for path, name in names.items()
    ]


def _fields(answer: Prediction | ImageError) -> dict[str, Any]:
    if isinstance(answer, ImageError):
        return {"error": _INPUT_NAME.sub("it ", answer.message)}
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
