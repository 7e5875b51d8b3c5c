"""Makes folders of pictures from a table of pixels, as the challenge published FER2013."""

import csv
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources.layout import EVAL_FOLDERS, TRAIN_FOLDERS, split_kind

CLASS_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Of FER2013's numbers from 0, by the challenge's own description (Goodfellow et al., "Challenges in
Representation Learning: A report on three machine learning contests", 2013)."""

_LABEL_COLUMNS = ("emotion", "label", "class")
_USAGE_COLUMNS = ("usage", "split", "set")
_PIXELS_COLUMN = "pixels"
_USAGES = {"training": "train", "publictest": "validation", "privatetest": "test"}
_MAX_SIDE_PX = 4096
_MAX_FIELD_CHARS = 4 * _MAX_SIDE_PX**2
_PROGRESS_STEP = 500


class _Columns(NamedTuple):
    """Places of the columns; `usage` is -1 where there is none."""

    label: int
    pixels: int
    usage: int


def is_pixel_table(path: pathlib.Path) -> bool:
    """Returns whether the file is CSV with a column of pixels and one of labels."""
    return _columns(path) is not None


def has_usage(path: pathlib.Path) -> bool:
    """Returns whether a table of pixels says which split a picture belongs to."""
    columns = _columns(path)
    return columns is not None and columns.usage >= 0


def describe_header(path: pathlib.Path) -> str:
    """Returns the names of a CSV file's columns, as far as they can be read."""
    return ", ".join(_header(path)[:8]) or "no columns"


def unpack_table(
    path: pathlib.Path, folder: pathlib.Path, progress: Callable[[int], None] | None = None
) -> None:
    """Writes each row of the table as a PNG: `<split>/<class>/<row>.png`, or `<class>/<row>.png`.

    Args:
      path: CSV with the columns emotion (a number as in `CLASS_NAMES`, or a name), pixels (gray
        values from 0 to 255 with spaces between, of a square), and perhaps Usage (Training,
        PublicTest, PrivateTest, or a split's name). Where all rows are of one split, or there is
        no Usage, there are no split folders.
      folder: Empty.
      progress: Called with the number of rows done.

    Raises:
      UserError: A row is of another kind; the line and what was found are named.
    """
    columns = _columns(path)
    if columns is None:
        raise UserError(
            f"{path}: has the columns {describe_header(path)}; expected emotion and pixels, and "
            "perhaps Usage, as fer2013.csv has them."
        )
    splits = set()
    if columns.usage >= 0:
        for line, row in _rows(path):
            splits.add(_split(path, line, _field(path, line, row, columns.usage)))
    for done, (line, row) in enumerate(_rows(path), start=1):
        label = _label(path, line, _field(path, line, row, columns.label))
        target = folder / label
        if len(splits) > 1:
            target = folder / _split(path, line, row[columns.usage]) / label
        target.mkdir(parents=True, exist_ok=True)
        pixels = _picture(path, line, _field(path, line, row, columns.pixels))
        _, data = cv2.imencode(".png", pixels)
        (target / f"{done:06d}.png").write_bytes(data.tobytes())
        if progress is not None and done % _PROGRESS_STEP == 0:
            progress(done)


def _rows(path: pathlib.Path) -> Iterator[tuple[int, list[str]]]:
    """Yields each row below the header with the number of its line."""
    csv.field_size_limit(_MAX_FIELD_CHARS)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            next(reader, None)
            for row in reader:
                if row:
                    yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error}). Fetch it again.") from error


def _header(path: pathlib.Path) -> list[str]:
    csv.field_size_limit(_MAX_FIELD_CHARS)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [name.strip() for name in next(csv.reader(iter([file.readline(4096)])), [])]
    except (UnicodeDecodeError, csv.Error):
        return []


def _columns(path: pathlib.Path) -> _Columns | None:
    names = [name.lower() for name in _header(path)]

    def place(known: tuple[str, ...]) -> int:
        return next((names.index(name) for name in known if name in names), -1)

    label, usage = place(_LABEL_COLUMNS), place(_USAGE_COLUMNS)
    if label < 0 or _PIXELS_COLUMN not in names:
        return None
    return _Columns(label, names.index(_PIXELS_COLUMN), usage)


def _field(path: pathlib.Path, line: int, row: list[str], place: int) -> str:
    if place >= len(row):
        raise UserError(f"{path}, line {line}: {len(row)} columns, fewer than the header names.")
    return row[place].strip()


def _label(path: pathlib.Path, line: int, text: str) -> str:
    if text.isdecimal() and int(text) < len(CLASS_NAMES):
        return CLASS_NAMES[int(text)]
    if not text or text.isdecimal() or "/" in text or text.startswith(".") or "\0" in text:
        raise UserError(
            f"{path}, line {line}: emotion {text!r}; expected a class's name, or 0 to "
            f"{len(CLASS_NAMES) - 1} for {', '.join(CLASS_NAMES)}."
        )
    return text


def _split(path: pathlib.Path, line: int, text: str) -> str:
    usage = text.strip().lower()
    known = _USAGES.get(usage) or split_kind(usage, (*TRAIN_FOLDERS, *EVAL_FOLDERS))
    if known is None:
        raise UserError(
            f"{path}, line {line}: Usage {text!r}; expected Training, PublicTest or PrivateTest."
        )
    return known


def _picture(path: pathlib.Path, line: int, text: str) -> np.ndarray:
    """Returns the gray pixels, uint8 [side, side]."""
    try:
        values = np.array(text.split(), dtype=np.int64)
    except (ValueError, OverflowError):
        values = np.array([-1])
    side = math.isqrt(values.size)
    if not values.size or side * side != values.size or values.min() < 0 or values.max() > 255:
        raise UserError(
            f"{path}, line {line}: pixels {text[:40]!r}... ({values.size} values); expected the gray "
            "values of a square, from 0 to 255, with spaces between."
        )
    return values.astype(np.uint8).reshape(side, side)
