"""Several people's votes on each picture: read from a CSV, and joined to the manifest."""

import collections
import csv
import dataclasses
import hashlib
import io
import math
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_ingest.manifest import (
    VOTES_OTHER_COLUMN,
    VotesRecord,
    kept_rows,
    vote_column,
)
from emotion_pipeline.components.image_ingest.vote_columns import VoteColumns
from emotion_pipeline.components.sources import addresses, object_store
from emotion_pipeline.components.sources.layout import OUTER_FOLDER, Layout

_NAMED = 5
_MEANINGS = (
    "Say what each column is with votes_columns.file, votes_columns.classes.CLASS, "
    "votes_columns.other and votes_columns.ignored"
)


@dataclasses.dataclass(frozen=True)
class Votes:
    """The votes of a file.

    path: the file. labels: the classes. files: the paths of the pictures as the file has them, each
    once. counts: `[N, C + 1]` float32, at least 0: the votes for each class, and for none of them.
    """

    path: str
    labels: tuple[str, ...]
    files: tuple[str, ...]
    counts: np.ndarray


def fingerprint_votes(path: str) -> str:
    """Returns a hash of the file's content.

    Raises:
      UserError: The file cannot be read.
    """
    return hashlib.sha256(_read_bytes(path)).hexdigest()


def read_votes(path: str, labels: Sequence[str], columns: VoteColumns) -> Votes:
    """Returns the votes of a CSV with a header line; the file may lie in an object store.

    Args:
      path: The file, in UTF-8.
      labels: The classes, in the order of the counts.
      columns: What its columns mean.

    Raises:
      UserError: The file cannot be read; a column is missing, named twice or without a meaning; a
        line has another number of cells than the header, a picture is named twice, or a count
        is no number of 0 or more.
    """
    groups = [*columns.by_class(labels).values(), columns.other]
    lines = _lines(path)
    _, header = next(lines, (1, []))
    _check_header(path, header, columns, groups)
    file_at = header.index(columns.file)
    places = [[header.index(name) for name in group] for group in groups]
    seen: dict[str, int] = {}
    counts = []
    for number, cells in lines:
        if len(cells) != len(header):
            raise UserError(
                f"{path}, line {number}: {len(cells)} cells, and the header has {len(header)}"
            )
        file = cells[file_at]
        if file in seen:
            raise UserError(f"{path}, line {number}: {file!r} is in line {seen[file]} too")
        seen[file] = number
        counts.append(
            [
                math.fsum(_count(path, number, header[place], cells[place]) for place in group)
                for group in places
            ]
        )
    if not seen:
        raise UserError(f"{path}: no line of votes after the header")
    return Votes(path, tuple(labels), tuple(seen), np.array(counts, np.float32))


def join_votes(
    table: pd.DataFrame, votes: Votes, root: pathlib.Path, layout: Layout
) -> tuple[pd.DataFrame, VotesRecord]:
    """Returns the manifest's table with the columns of votes, and what became of the file's lines.

    A line is for the picture of the same path. Of the folders above the splits (above the classes,
    where the data has no splits) the path in the line may have all, the last ones, none, or `images/`
    alone, so that a file of votes fits the data wherever it was unpacked.

    Args:
      table: The manifest's table.
      votes: The votes.
      root: The absolute folder that the table's paths are relative to.
      layout: Where the splits are in it.

    Raises:
      UserError: Two lines are for one picture, or no line is for any.
    """
    rows = {path: row for row, path in enumerate(table["path"]) if layout.locate(path)}
    find = _finder(rows, root, layout)
    found: dict[int, str] = {}
    counts = np.full((len(table), len(votes.labels) + 1), np.nan, np.float32)
    unknown: list[str] = []
    empty = 0
    for file, line in zip(votes.files, votes.counts, strict=True):
        row = find(file)
        if row is None:
            unknown.append(file)
            continue
        if row in found:
            raise UserError(f"{votes.path}: {found[row]!r} and {file!r} are one picture")
        found[row] = file
        if line.sum() > 0:
            counts[row] = line
        else:
            empty += 1
    if not found:
        raise UserError(
            f"{votes.path}: none of its {len(unknown)} pictures is in the source; the first is "
            f"{unknown[0]!r}, and the source has {next(iter(rows), 'none')!r}. The paths must be "
            "those in the source"
        )
    names = [*(vote_column(label) for label in votes.labels), VOTES_OTHER_COLUMN]
    joined = table.assign(**dict(zip(names, counts.T, strict=True)))
    kept = kept_rows(joined)
    record = VotesRecord(
        file=votes.path,
        lines=len(votes.files),
        pictures=int(kept[VOTES_OTHER_COLUMN].notna().sum()),
        without_votes=int(kept[VOTES_OTHER_COLUMN].isna().sum()),
        empty=empty,
        unknown=len(unknown),
        unknown_examples=tuple(sorted(unknown)[:_NAMED]),
    )
    return joined, record


def votes_lines(record: VotesRecord) -> list[str]:
    """Returns what became of a file of votes, a line for each thing to be told."""
    pictures = record.pictures + record.without_votes
    lines = [f"votes for {record.pictures} of {pictures} pictures ({record.file})"]
    if record.empty:
        lines.append(f"votes: {record.empty} lines have no vote; they count as pictures without")
    if record.unknown:
        lines.append(
            f"votes: {record.unknown} lines are for files that are not there, such as "
            + ", ".join(record.unknown_examples)
        )
    return lines


def _finder(
    rows: dict[str, int], root: pathlib.Path, layout: Layout
) -> Callable[[str], int | None]:
    """Returns what gives the row of a path as a file of votes has it."""
    base = pathlib.PurePosixPath(str(root), layout.base)
    folders = [str(base), *("/".join(base.parts[start:]) for start in range(1, len(base.parts)))]
    leads = [f"{folder}/" for folder in dict.fromkeys([*folders, OUTER_FOLDER])]
    prefix = f"{layout.base}/" if layout.base else ""

    def find(file: str) -> int | None:
        path = file.removeprefix("./")
        candidates = [path, prefix + path]
        candidates += [prefix + path.removeprefix(lead) for lead in leads if path.startswith(lead)]
        return next((rows[one] for one in candidates if one in rows), None)

    return find


def _lines(path: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the number and the cells of each line that is not blank, the header first."""
    try:
        text = _read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 ({error}); votes are read from a CSV") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: no CSV: {error}") from error


def _read_bytes(path: str) -> bytes:
    if addresses.is_stored(path):
        return object_store.read_stored(path)
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"--votes {path}: cannot be read ({error.strerror}); give a CSV") from error


def _check_header(
    path: str, header: list[str], columns: VoteColumns, groups: list[tuple[str, ...]]
) -> None:
    twice = [name for name, count in collections.Counter(header).items() if count > 1]
    if twice:
        raise UserError(f"{path}: the header has {_named(twice)} more than once")
    wanted = [columns.file, *(name for group in groups for name in group), *columns.ignored]
    missing = [name for name in wanted if name not in header]
    if missing:
        raise UserError(
            f"{path}: has no column {_named(missing)}; its columns are {_named(header)}. {_MEANINGS}"
        )
    unknown = [name for name in header if name not in wanted]
    if unknown:
        raise UserError(
            f"{path}: nothing says what the columns {_named(unknown)} mean. {_MEANINGS}"
        )


def _count(path: str, number: int, column: str, text: str) -> float:
    try:
        count = math.nan if "_" in text else float(text)
    except ValueError:
        count = math.nan
    if not 0 <= count < math.inf:
        raise UserError(
            f"{path}, line {number}, column {column}: {text!r} is no number of votes, 0 or more"
        )
    return count


def _named(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
