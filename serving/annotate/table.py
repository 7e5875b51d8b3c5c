"""A row for each face, in CSV, JSON or Parquet, written as the work goes on."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import json
import math
import pathlib
import types
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TextIO

from emotion_faces.annotate.faces import FaceEmotion, Shot
from emotion_faces.errors import UsageError, UserError
from emotion_faces.names import printable

PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
CSV_SUFFIXES = frozenset({".csv", ".txt", ""})
JSON_SUFFIX = ".json"
_ROW_GROUP = 10_000
_QUALITY = {"size_px": None, "sharpness": None, "roll": None, "yaw": 2}
"""Attributes of a face's quality, and to how many decimals they are told; None for whole numbers."""


class RowSink(Protocol):
    """The part of FaceTable that takes rows."""

    def write(self, shot: Shot) -> None:
        """Adds the shot's faces."""


def check_suffix(path: pathlib.Path) -> None:
    """Makes sure before any work that a table's name says what it will be.

    Raises:
      UserError: Another suffix, or one whose package is not installed.
    """
    if path.suffix.lower() not in PARQUET_SUFFIXES | CSV_SUFFIXES | {JSON_SUFFIX}:
        raise UsageError(
            f"the table {printable(path)} would be CSV under the name of something else: end its "
            "name with .csv, .json, or .parquet for Parquet"
        )
    if path.suffix.lower() in PARQUET_SUFFIXES and importlib.util.find_spec("pyarrow") is None:
        raise UserError(
            f"the table {printable(path)} needs PyArrow: pip install 'emotion-faces[parquet]', or end its "
            "name with .csv"
        )


def column_names(labels: Sequence[str]) -> list[str]:
    """The table's columns: where the face is and how good, the probability of each class, the likeliest."""
    place = ["file", "frame", "seconds", "left", "top", "width", "height", "track"]
    return [*place, *_QUALITY, *labels, "label"]


def face_rows(shot: Shot) -> list[list[Any]]:
    """A shot's rows; pixels whole, seconds to the millisecond, probabilities to the millionth."""
    return [
        [
            printable(shot.name),
            shot.frame,
            round(shot.seconds, 3),
            *(round(value) for value in (f.box.left, f.box.top, f.box.width, f.box.height)),
            f.track,
            *quality_fields(f).values(),
            *(round(value, 6) for value in f.probabilities.values()),
            f.label,
        ]
        for f in shot.faces
    ]


def quality_fields(face: FaceEmotion) -> dict[str, float | None]:
    """A face's quality by name, rounded; None for what is not known."""
    values = {name: getattr(face.quality, name, math.nan) for name in _QUALITY}
    return {
        name: round(values[name], digits) if math.isfinite(values[name]) else None
        for name, digits in _QUALITY.items()
    }


class FaceTable:
    """The open table; a context manager. What is written is complete at any time in a CSV.

    Args:
      path: Its suffix decides: Parquet for `.parquet` or `.pq`, a list of objects, one a line, for `.json`, CSV
        for `.csv`, `.txt` or none.
      labels: The model's class names.
    """

    def __init__(self, path: pathlib.Path, labels: Sequence[str]):
        self._columns = column_names(labels)
        self._labels = labels
        check_suffix(path)
        self._exit = contextlib.ExitStack()
        self._rows: list[list[Any]] = []
        self._parquet: Any = None
        self._is_json = path.suffix.lower() == JSON_SUFFIX
        self._path = path
        with self._told():
            if path.suffix.lower() in PARQUET_SUFFIXES:
                self._open_parquet(path)
            else:
                file = path.open("x", encoding="utf-8", newline="")
                self._file: TextIO = self._exit.enter_context(file)
                self._begun = False
                if not self._is_json:
                    self._csv = csv.writer(self._file)
                    self._csv.writerow(self._columns)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"the table {printable(self._path)} can't be written: {error.strerror or error}"
            ) from None

    def __enter__(self) -> FaceTable:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        with self._told(), self._exit:
            if self._parquet is not None:
                self._flush_parquet()
            elif self._is_json:
                self._file.write("\n]\n" if self._begun else "[]\n")

    def write(self, shot: Shot) -> None:
        """Adds the shot's faces.

        Raises:
          UserError: They can't be written.
        """
        with self._told():
            self._write(shot)

    def _write(self, shot: Shot) -> None:
        rows = face_rows(shot)
        if self._is_json:
            for row in rows:
                fields = json.dumps(dict(zip(self._columns, row, strict=True)), ensure_ascii=False)
                self._file.write((",\n" if self._begun else "[\n") + fields)
                self._begun = True
            return
        if self._parquet is None:
            self._csv.writerows(rows)
            self._file.flush()
            return
        self._rows += rows
        if len(self._rows) >= _ROW_GROUP:
            self._flush_parquet()

    def _open_parquet(self, path: pathlib.Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        whole = {"frame", "left", "top", "width", "height", "track"}
        whole |= {name for name, digits in _QUALITY.items() if digits is None}
        kinds = {name: pa.float64() for name in ("seconds", *_QUALITY)}
        kinds |= {name: pa.int64() for name in whole}
        kinds |= {name: pa.float32() for name in self._labels}
        self._schema = pa.schema([(n, kinds.get(n, pa.string())) for n in self._columns])
        sink = self._exit.enter_context(path.open("xb"))
        self._parquet = self._exit.enter_context(pq.ParquetWriter(sink, self._schema))

    def _flush_parquet(self) -> None:
        import pyarrow as pa

        if self._rows:
            columns = [
                pa.array(values, field.type)
                for values, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._parquet.write_table(pa.Table.from_arrays(columns, schema=self._schema))
        self._rows = []
