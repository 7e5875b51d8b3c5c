"""The table of every file found in a data set: its columns, its codes, and its file."""

import dataclasses
import io
import json
import os
import pathlib

import pandas as pd
from tfx.dsl.io import fileio

from emotion_pipeline.components.constants import IMAGE_SIZE_PX, SPLITS
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

path: posix, relative to the data set's root. split: 'train', 'eval', or '' outside any split.
label: class, or ''. width, height, channels: pixels and bands, 0 where not decoded.
format: 'jpeg' or 'png' by content, or ''. content_hash: SHA-256 of the bytes, hex.
pixel_hash: SHA-256 of the shape and the gray pixels, hex, or ''. perceptual_hash: 64 bits, 16 hex
digits, or ''. brightness and contrast: mean and standard deviation of the gray pixels, 0 to 1.
sharpness: variance of the Laplacian, 0 up. entropy: bits, 0 to 8. The four are NaN if undecoded.
status: 'kept' or 'pruned'. reason: '' or a `PruneReason`.
"""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The table, the absolute folder that its paths are relative to, and the source as given."""

    table: pd.DataFrame
    root: pathlib.Path
    source: str


def make_table(rows: "pd.DataFrame | list[dict]") -> pd.DataFrame:
    """Return the rows as a table with the columns of `COLUMNS`, sorted by path."""
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS, copy=False)
    return table.sort_values("path", kind="stable", ignore_index=True)


def kept_rows(table: pd.DataFrame, split: str | None = None) -> pd.DataFrame:
    """Return the rows of the files that are used, of one split or of all."""
    chosen = table["status"] == KEPT
    if split is not None:
        if split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
        chosen &= table["split"] == split
    return table[chosen]


def describe_other_sizes(table: pd.DataFrame) -> str:
    """Return how many of the kept pictures have another size than the network's; '' where none has."""
    kept = kept_rows(table)
    others = kept[(kept["width"] != IMAGE_SIZE_PX) | (kept["height"] != IMAGE_SIZE_PX)]
    if others.empty:
        return ""
    sizes = (others["width"].astype(str) + "x" + others["height"].astype(str)).value_counts()
    shown = ", ".join(sizes.index[:_MAX_SIZES])
    more = len(sizes) - _MAX_SIZES
    return (
        f"{len(others)} of {len(kept)} pictures are not {IMAGE_SIZE_PX}x{IMAGE_SIZE_PX} pixels "
        f"({shown}{f' and {more} more sizes' if more > 0 else ''}); they are resized as the served "
        "model resizes"
    )


def prune(table: pd.DataFrame, paths: "set[str]", reason: PruneReason) -> pd.DataFrame:
    """Return the table with the kept rows of `paths` pruned; the others stay as they are."""
    chosen = table["path"].isin(paths) & (table["status"] == KEPT)
    pruned = table.copy()
    pruned.loc[chosen, "status"] = PRUNED
    pruned.loc[chosen, "reason"] = reason.value
    return pruned


def counts_by_split(table: pd.DataFrame) -> dict[str, dict]:
    """Return the numbers of files per split; `other` is for files in neither."""
    counts = {}
    for split in (*SPLITS, "other"):
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


def write_manifest(manifest: Manifest, uri: str | os.PathLike) -> None:
    """Write `manifest.parquet` and `source.json` into the folder `uri`, made if need be."""
    folder = str(uri)
    fileio.makedirs(folder)
    with fileio.open(os.path.join(folder, MANIFEST_FILE), "wb") as file:
        # As bytes: Parquet's writer wants more of a file than an object store's has.
        file.write(manifest.table.to_parquet(index=False, row_group_size=ROW_GROUP_ROWS))
    source = {"root": str(manifest.root), "source": manifest.source}
    with fileio.open(os.path.join(folder, SOURCE_FILE), "w") as file:
        file.write(json.dumps(source, indent=2) + "\n")


def read_manifest(uri: str | os.PathLike) -> Manifest:
    """Read what `write_manifest` wrote into the folder `uri`."""
    root, source = read_source(uri)
    with fileio.open(os.path.join(str(uri), MANIFEST_FILE), "rb") as file:
        table = pd.read_parquet(io.BytesIO(file.read()))
    return Manifest(table=table, root=root, source=source)


def read_source(uri: str | os.PathLike) -> tuple[pathlib.Path, str]:
    """Return the folder that a manifest's paths are relative to and the source as the user gave it."""
    with fileio.open(os.path.join(str(uri), SOURCE_FILE), "r") as file:
        source = json.loads(file.read())
    return pathlib.Path(source["root"]), source["source"]
