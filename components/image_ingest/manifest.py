"""The table of every file found in a data set: its columns, its codes, and its file."""

import dataclasses
import io
import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import pandas as pd
from tfx.dsl.io import fileio

from emotion_pipeline.components.constants import (
    ALL_SPLITS,
    IMAGE_SIZE_PX,
    SPLITS,
    TEST_SPLIT,
)
from emotion_pipeline.components.counted import first_few
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason

MANIFEST_FILE = "manifest.parquet"
SOURCE_FILE = "source.json"

ROW_GROUP_ROWS = 1024
"""Rows of the file that are read together: the workers of a Beam step share the row groups."""

_MAX_SIZES = 4

KEPT = "kept"
PRUNED = "pruned"

COLUMNS: dict[str, str] = {
    "path": "object",
    "split": "object",
    "label": "object",
    "bytes": "int64",
    "width": "int32",
    "height": "int32",
    "orientation": "int32",
    "channels": "int32",
    "format": "object",
    "content_hash": "object",
    "pixel_hash": "object",
    "perceptual_hash": "object",
    "brightness": "float32",
    "contrast": "float32",
    "sharpness": "float32",
    "entropy": "float32",
    "status": "object",
    "reason": "object",
}
"""Column names in order, with their dtypes; `object` columns hold str and are never null.

path: posix, relative to the data set's root. split: 'train', 'eval', 'test', or '' outside any.
label: class, or ''. width, height: of the upright picture, 0 where not decoded. orientation:
EXIF's, 1 to 8, of the file; where it is not 1, the pixels that are measured here and those of the
Examples are turned upright, and the file is not; 0 where not decoded. channels: bands, or 0.
format: 'jpeg' or 'png' by content, or ''. content_hash: SHA-256 of the bytes, hex.
pixel_hash: SHA-256 of the shape and the gray pixels, hex, or ''. perceptual_hash: 64 bits, 16 hex
digits, or ''. brightness and contrast: mean and standard deviation of the gray pixels, 0 to 1.
sharpness: variance of the Laplacian, 0 up. entropy: bits, 0 to 8. The four are NaN if undecoded.
status: 'kept' or 'pruned'. reason: '' or a `PruneReason`.
"""


VOTES_OTHER_COLUMN = "votes_other"
_VOTES_PREFIX = "votes/"


def vote_column(label: str) -> str:
    """Returns the column of the votes for a class.

    These columns and `VOTES_OTHER_COLUMN`, the votes for no class, come after the others where the
    source has votes: float32, and NaN for a picture without any.
    """
    return _VOTES_PREFIX + label


def vote_columns(names: Iterable[str]) -> list[str]:
    """Returns which of the names are `vote_column`s, in their order, which is that of the labels."""
    return [name for name in names if name.startswith(_VOTES_PREFIX)]


def vote_labels(columns: Iterable[str]) -> list[str]:
    """Returns the classes of `vote_column`s."""
    return [column.removeprefix(_VOTES_PREFIX) for column in columns]


@dataclasses.dataclass(frozen=True)
class VotesRecord:
    """What became of a file of votes.

    file: its path. lines: how many pictures it names. pictures, without_votes: how many of the kept
    pictures have votes, and have none. empty: lines of a picture in the source with no vote in it.
    unknown: lines of pictures that are not in the source; unknown_examples: the first of them.
    """

    file: str
    lines: int
    pictures: int
    without_votes: int
    empty: int
    unknown: int
    unknown_examples: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The table, the absolute folder that its paths are relative to, and the source as given.

    votes: what became of the file of votes; None where there is none. notes: what ImageIngest
    noted of the data set, a line each. drawn: whether the source has no splits of its own.
    """

    table: pd.DataFrame
    root: pathlib.Path
    source: str
    votes: VotesRecord | None = None
    notes: tuple[str, ...] = ()
    drawn: bool = False


def make_table(rows: "pd.DataFrame | list[dict]") -> pd.DataFrame:
    """Returns the rows as a table with the columns of `COLUMNS`, sorted by path."""
    # Rows from elsewhere need not say how a picture was turned: 0 stands for not known.
    table = pd.DataFrame(rows, columns=list(COLUMNS)).fillna({"orientation": 0})
    table = table.astype(COLUMNS, copy=False)
    return table.sort_values("path", kind="stable", ignore_index=True)


def kept_rows(table: pd.DataFrame, split: str | None = None) -> pd.DataFrame:
    """Returns the rows of the files that are used, of one split or of all."""
    chosen = table["status"] == KEPT
    if split is not None:
        if split not in ALL_SPLITS:
            raise ValueError(f"split must be one of {ALL_SPLITS}, got {split!r}")
        chosen &= table["split"] == split
    return table[chosen]


def describe_other_sizes(table: pd.DataFrame) -> str:
    """Returns how many of the kept pictures have another size than the network's; '' where none has."""
    kept = kept_rows(table)
    others = kept[(kept["width"] != IMAGE_SIZE_PX) | (kept["height"] != IMAGE_SIZE_PX)]
    if others.empty:
        return ""
    sizes = (others["width"].astype(str) + "x" + others["height"].astype(str)).value_counts()
    return (
        f"{len(others)} of {len(kept)} pictures are not {IMAGE_SIZE_PX}x{IMAGE_SIZE_PX} pixels "
        f"({first_few(sizes.index, _MAX_SIZES, 'size')}); they are resized as the served model resizes"
    )


def notes_on(manifest: Manifest) -> list[str]:
    """Returns what is to be known of a data set beside its files and their faults, a line each."""
    sizes = describe_other_sizes(manifest.table)
    return [*manifest.notes, *([f"{manifest.source}: {sizes}"] if sizes else [])]


def prune(table: pd.DataFrame, paths: "set[str]", reason: PruneReason) -> pd.DataFrame:
    """Returns the table with the kept rows of `paths` pruned; the others stay as they are."""
    chosen = table["path"].isin(paths) & (table["status"] == KEPT)
    pruned = table.copy()
    pruned.loc[chosen, "status"] = PRUNED
    pruned.loc[chosen, "reason"] = reason.value
    return pruned


def present_splits(table: pd.DataFrame) -> tuple[str, ...]:
    """Returns `SPLITS`, and `test` where the data set has it."""
    return (*SPLITS, TEST_SPLIT) if (table["split"] == TEST_SPLIT).any() else SPLITS


def counts_by_split(table: pd.DataFrame) -> dict[str, dict]:
    """Returns the numbers of files per split; `other` is for files in neither."""
    counts = {}
    for split in (*present_splits(table), "other"):
        rows = table[table["split"] == ("" if split == "other" else split)]
        pruned = rows[rows["status"] == PRUNED]
        by_reason = pruned["reason"].value_counts()
        counts[split] = {
            "found": len(rows),
            "kept": len(rows) - len(pruned),
            "pruned": len(pruned),
            "pruned_by_reason": {code: int(by_reason[code]) for code in sorted(by_reason.index)},
        }
    return counts


def paths_by_reason(table: pd.DataFrame) -> dict[str, list[str]]:
    """Returns reason -> paths of the files that were pruned for it, both sorted."""
    pruned = table[table["status"] == PRUNED]
    return {str(reason): sorted(rows["path"]) for reason, rows in pruned.groupby("reason")}


def write_manifest(manifest: Manifest, uri: str | os.PathLike) -> None:
    """Writes `manifest.parquet` and `source.json` into the folder `uri`, made if need be."""
    folder = str(uri)
    fileio.makedirs(folder)
    with fileio.open(os.path.join(folder, MANIFEST_FILE), "wb") as file:
        # As bytes: Parquet's writer wants more of a file than an object store's has.
        file.write(manifest.table.to_parquet(index=False, row_group_size=ROW_GROUP_ROWS))
    source: dict[str, Any] = {"root": str(manifest.root), "source": manifest.source}
    if manifest.votes is not None:
        source["votes"] = dataclasses.asdict(manifest.votes)
    if manifest.notes:
        source["notes"] = manifest.notes
    if manifest.drawn:
        source["drawn"] = True
    with fileio.open(os.path.join(folder, SOURCE_FILE), "w") as file:
        file.write(json.dumps(source, indent=2) + "\n")


def read_manifest(uri: str | os.PathLike) -> Manifest:
    """Reads what `write_manifest` wrote into the folder `uri`."""
    source = _read_source_file(uri)
    with fileio.open(os.path.join(str(uri), MANIFEST_FILE), "rb") as file:
        table = pd.read_parquet(io.BytesIO(file.read()))
    return Manifest(
        table,
        pathlib.Path(source["root"]),
        source["source"],
        read_votes_record(uri),
        tuple(source.get("notes", ())),
        source.get("drawn", False),
    )


def read_splits(uri: str | os.PathLike) -> pd.DataFrame:
    """Returns the columns `split` and `status` alone of a manifest in the folder `uri`."""
    with fileio.open(os.path.join(str(uri), MANIFEST_FILE), "rb") as file:
        return pd.read_parquet(io.BytesIO(file.read()), columns=["split", "status"])


def count_kept(uri: str | os.PathLike, split: str) -> int:
    """Returns how many files of a split are used."""
    columns = read_splits(uri)
    return int(((columns["split"] == split) & (columns["status"] == KEPT)).sum())


def read_source(uri: str | os.PathLike) -> tuple[pathlib.Path, str]:
    """Returns the folder that a manifest's paths are relative to and the source as the user gave it."""
    source = _read_source_file(uri)
    return pathlib.Path(source["root"]), source["source"]


def read_votes_record(uri: str | os.PathLike) -> VotesRecord | None:
    """Returns what became of the file of votes of a manifest; None where there is none."""
    record = _read_source_file(uri).get("votes")
    if record is None:
        return None
    return VotesRecord(**{**record, "unknown_examples": tuple(record["unknown_examples"])})


def _read_source_file(uri: str | os.PathLike) -> dict[str, Any]:
    with fileio.open(os.path.join(str(uri), SOURCE_FILE), "r") as file:
        return json.loads(file.read())
