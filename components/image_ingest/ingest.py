"""Builds the manifest of a data set: every file found, kept or pruned with the reason."""

import array
import collections
import functools
import os
import pathlib
import sys
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from emotion_pipeline.components.constants import TRAIN_SPLIT
from emotion_pipeline.components.counted import first_few
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_findings.near_copies import load_pixels
from emotion_pipeline.components.image_ingest import measure
from emotion_pipeline.components.image_ingest.draw import draw_splits
from emotion_pipeline.components.image_ingest.find_files import FoundFile, find_files
from emotion_pipeline.components.image_ingest.manifest import (
    COLUMNS,
    KEPT,
    PRUNED,
    kept_rows,
    make_table,
)
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason
from emotion_pipeline.components.image_ingest.workers import map_in_order
from emotion_pipeline.components.progress import report
from emotion_pipeline.components.sources.layout import EXPECTED, NO_LISTS, Layout, find_layout
from emotion_pipeline.components.sources.listing import is_label_list
from emotion_pipeline.components.sources.redundant import RemovedFile

Progress = Callable[[int, int], None]
"""Called with the number of files done and the number of all."""

_PROGRESS_STEP = 500
_FILES_PER_WORKER = 4000
"""A worker's start takes as long as some two thousand files."""


def ingest(
    root: pathlib.Path,
    *,
    source: str = "",
    eval_fraction: float = 0.2,
    group_by: str = "",
    removed: Iterable[RemovedFile] = (),
    layout: Layout | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] = report,
) -> pd.DataFrame:
    """Returns the manifest's table for the data set in `root`, a row for every file under it.

    Args:
      root: The folder; nothing in it is changed.
      source: What messages call it; `root` if empty.
      eval_fraction: Share of each class's pictures that goes to eval where the folder has no
        splits, between 0 and 1.
      group_by: What names a person or a film in a path, as `draw.draw_splits` has it.
      removed: Files deleted from the pipeline's own copy; they are rows too.
      layout: Where classes and splits are in it, of `find_layout`; by default it is looked for.
      workers: Processes that read, which changes nothing in the table; by default one for each
        CPU, and fewer where there are few files.
      progress: Told how far the reading is.
      tell: Takes a line on each thing that is to be known of the data set beside its files.

    Raises:
      UserError: No pictures in class folders, or fewer than two classes in train; `group_by`
        matches nothing, or the folder has splits.
    """
    root = root.resolve()
    source = source or str(root)
    layout = layout or find_layout(root, source)
    for name in layout.unused:
        tell(f"{source}: {name}/ holds a further split, which is not used")
    files = find_files(root)
    columns: dict[str, list | array.array] = {name: _column(kind) for name, kind in COLUMNS.items()}
    # A nested tree sorts among its twins, so it waits until every outer file has its hash.
    files.sort(key=lambda file: layout.outer_twin(file.path) is not None)
    twins = {layout.outer_twin(file.path) for file in files} - {None}
    hashes: dict[str, str] = {}
    if workers is None:
        workers = min(len(os.sched_getaffinity(0)), len(files) // _FILES_PER_WORKER)
    jobs = (_job(root, layout, file) for file in files)
    readings = map_in_order(measure.read_file, jobs, workers)
    for done, (file, reading) in enumerate(zip(files, readings, strict=True), start=1):
        row = _row(layout, file, reading, hashes)
        if file.path in twins:
            hashes[file.path] = row["content_hash"]
        for name, values in columns.items():
            values.append(row[name])
        if progress is not None and (done % _PROGRESS_STEP == 0 or done == len(files)):
            progress(done, len(files))
    for gone in removed:
        row = _removed_row(layout, gone)
        for name, values in columns.items():
            values.append(row[name])
    del files, twins, hashes
    table = make_table(pd.DataFrame({name: _values(columns.pop(name)) for name in COLUMNS}))
    if layout.splits and group_by:
        raise UserError(
            f"--group-by {group_by}: {source} has splits of its own ({', '.join(layout.splits)}), which "
            "stay as they are. Give one folder of classes, or leave it out."
        )
    if not layout.splits:
        load = functools.partial(load_pixels, root)
        table["split"] = draw_splits(table, eval_fraction, load, group_by, tell)
    _check_classes(source, table)
    return table


def check_pruned_fraction(table: pd.DataFrame, max_pruned_fraction: float, source: str) -> None:
    """Raises UserError where more than the stated share of the pictures is unusable.

    The share is unusable files / (unusable + kept); the redundant tree, hidden files and links do
    not count.
    """
    reasons = {reason.value for reason in PruneReason if reason.unusable}
    unusable = table[table["reason"].isin(reasons)]
    pictures = len(unusable) + len(kept_rows(table))
    if pictures and len(unusable) / pictures > max_pruned_fraction:
        counts = collections.Counter(unusable["reason"])
        told = ", ".join(f"{count} {code}" for code, count in sorted(counts.items()))
        raise UserError(
            f"{source}: {len(unusable)} of {pictures} pictures cannot be used ({told}; first: "
            f"{unusable['path'].iloc[0]}), more than the limit of {max_pruned_fraction:.0%}. Mend "
            "or remove them, or raise max_pruned_fraction."
        )


def _job(root: pathlib.Path, layout: Layout, file: FoundFile) -> measure.Job | None:
    """Returns how to read a file; None where the listing tells that it cannot be used."""
    if _problem_of_listing(layout, file) is not None:
        return None
    return measure.Job(os.path.join(root, file.path), layout.outer_twin(file.path) is None)


def _problem_of_listing(layout: Layout, file: FoundFile) -> PruneReason | None:
    if file.problem is not None:
        return file.problem
    if layout.outer_twin(file.path) is None and layout.locate(file.path) is None:
        unused = layout.is_unused(file.path)
        return PruneReason.UNUSED_SPLIT if unused else PruneReason.OUTSIDE_CLASS_FOLDER
    return PruneReason.TOO_LARGE if file.bytes > measure.MAX_IMAGE_BYTES else None


def _row(
    layout: Layout, file: FoundFile, reading: measure.Reading | None, hashes: dict[str, str]
) -> dict:
    """Returns a file's row; `hashes` holds those of the outer twins."""
    twin = layout.outer_twin(file.path)
    place = file.path if twin is None else twin
    if file.problem is PruneReason.UNREADABLE_FOLDER:
        place += "/"  # A class folder's own class, too, is the one that lacks what is in it.
    split, label = layout.locate(place) or ("", "")
    row = {
        **measure.NOT_MEASURED._asdict(),
        "path": file.path,
        "split": split,
        # One string for a class, not one for a file.
        "label": sys.intern(label),
        "bytes": file.bytes,
        "content_hash": "" if reading is None else reading.content_hash,
        "status": PRUNED,
    }
    if reading is None:
        problem = _problem_of_listing(layout, file)
    elif isinstance(reading.picture, PruneReason):
        problem = reading.picture
    elif reading.picture is None:
        same = hashes.get(twin or "") == reading.content_hash
        problem = PruneReason.REDUNDANT_TREE if same else PruneReason.OUTSIDE_CLASS_FOLDER
    else:
        problem = None
        row.update(reading.picture._asdict())
    if problem is None:
        row.update(status=KEPT, reason="")
    else:
        row["reason"] = problem.value
    return row


def _removed_row(layout: Layout, gone: RemovedFile) -> dict:
    split, label = layout.locate(layout.outer_twin(gone.path) or "") or ("", "")
    return {
        **measure.NOT_MEASURED._asdict(),
        **gone._asdict(),
        "split": split,
        "label": label,
        "status": PRUNED,
        "reason": PruneReason.REDUNDANT_TREE.value,
    }


def _check_classes(source: str, table: pd.DataFrame) -> None:
    kept = kept_rows(table)
    labels = sorted(kept["label"].unique())
    lists = [path for path in table["path"] if is_label_list(path)]
    hint = f"Found {first_few(lists, 2)}. {NO_LISTS} {EXPECTED}" if lists else EXPECTED
    if not len(kept):
        raise UserError(f"{source}: {len(table)} files, no usable picture of a class. {hint}")
    train_labels = sorted(kept_rows(table, TRAIN_SPLIT)["label"].unique())
    if len(train_labels) < 2:
        found = ", ".join(train_labels) or "none"
        raise UserError(
            f"{source}: {len(train_labels)} class(es) with usable pictures in train "
            f"({found}; in all splits: {', '.join(labels)}); two or more are needed. {hint}"
        )


def _column(dtype: str) -> "list | array.array":
    """Returns a column to append to; numbers take 4 to 8 bytes, so that memory stays the table's."""
    codes = {"int64": "q", "int32": "i", "float32": "f"}
    return array.array(codes[dtype]) if dtype in codes else []


def _values(column: "list | array.array") -> "list | np.ndarray":
    return column if isinstance(column, list) else np.array(column)
