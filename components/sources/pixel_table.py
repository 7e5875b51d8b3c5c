"""Makes folders of pictures from a table of pixels, as the challenge published FER2013."""

import codecs
import csv
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources.archive import MAX_NAME_BYTES
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
_MAX_NAME_CHARS = 20
"""Of a column's name, or of a value, in a message."""

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
      UserError: The header or a row is of another kind, the line and what was found are named; or there
        is no row.
    """
    columns = _checked_columns(path)
    splits: set[str] = set()
    if columns.usage >= 0:
        for line, row in _rows(path):
            splits.add(_split(path, line, _field(path, line, row, columns.usage)))
    if len(splits) > 1 and not splits & set(TRAIN_FOLDERS):
        raise UserError(
            f"{path}: its Usage names {' and '.join(sorted(splits))}, and no row is of Training. Add such "
            "rows, or leave the column out and the rows are split by a hash of their pixels."
        )
    done = 0
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
    if not done:
        raise UserError(f"{path}: has a header and no row below it, so no picture. Fetch it again.")


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
        # As bytes: a text file is decoded further than its first line.
        with path.open("rb") as file:
            line = file.readline(4096).split(b"\r")[0].decode("utf-8-sig")
        return [name.strip() for name in next(csv.reader(iter([line])), [])]
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


def _checked_columns(path: pathlib.Path) -> _Columns:
    """Returns the places of the columns; raises UserError where they are not there, or not clear."""
    with path.open("rb") as file:
        start = file.read(4096)
    if not start.strip():
        raise UserError(f"{path}: is empty; expected {_EXPECTED_COLUMNS}")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start[:4]:
        raise UserError(f"{path}: is not text in UTF-8, but looks like UTF-16. Save it as UTF-8.")
    names = _header(path)
    columns = _columns(path)
    if columns is None:
        shown = [
            name[:_MAX_NAME_CHARS] + "..." * (len(name) > _MAX_NAME_CHARS) for name in names[:8]
        ]
        found = (
            f"has the columns {', '.join(shown)}" if names else "its first line is no CSV in UTF-8"
        )
        raise UserError(f"{path}: {found}; expected {_EXPECTED_COLUMNS}")
    lower = [name.lower() for name in names]
    for place in columns:
        if place >= 0 and lower.count(lower[place]) > 1:
            raise UserError(
                f"{path}: has {lower.count(lower[place])} columns named {names[place]!r}; which one "
                "counts is not clear. Rename or remove the others."
            )
    return columns


_EXPECTED_COLUMNS = (
    "emotion and pixels, and perhaps Usage, named in its first line with commas between, as "
    "fer2013.csv has them."
)


def _field(path: pathlib.Path, line: int, row: list[str], place: int) -> str:
    if place >= len(row):
        raise UserError(f"{path}, line {line}: {len(row)} columns, fewer than the header names.")
    return row[place].strip()


def _label(path: pathlib.Path, line: int, text: str) -> str:
    if text.isdecimal() and int(text) < len(CLASS_NAMES):
        return CLASS_NAMES[int(text)]
    is_folder_name = text.isprintable() and len(text.encode()) <= MAX_NAME_BYTES and "/" not in text
    if not text or text.startswith(".") or _is_number(text) or not is_folder_name:
        shown = f"{text[:_MAX_NAME_CHARS]!r}{'...' if len(text) > _MAX_NAME_CHARS else ''}"
        raise UserError(
            f"{path}, line {line}: emotion {shown}; expected a class's name, or 0 to "
            f"{len(CLASS_NAMES) - 1} for {', '.join(CLASS_NAMES)}."
        )
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.isdigit()
    return True


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
        tokens = text.split()
        wrong = (
            f", number {n} is {one[:_MAX_NAME_CHARS]!r}"
            for n, one in enumerate(tokens, 1)
            if not _is_gray(one)
        )
        raise UserError(
            f"{path}, line {line}: pixels {text[:40]!r}... ({len(tokens)} values{next(wrong, '')}); "
            "expected the gray values of a square, from 0 to 255, with spaces between."
        )
    return values.astype(np.uint8).reshape(side, side)


def _is_gray(text: str) -> bool:
    try:
        return 0 <= int(text) <= 255
    except ValueError:
        return False
