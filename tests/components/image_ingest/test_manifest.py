import pathlib

import pandas as pd
import pytest

from emotion_pipeline.components.image_ingest import manifest
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason


def row(path: str, split: str, status: str = "kept", reason: str = "") -> dict:
    numbers = dict.fromkeys(("bytes", "width", "height", "channels"), 1)
    measures = dict.fromkeys(("brightness", "contrast", "sharpness", "entropy"), 0.5)
    texts = dict.fromkeys(("format", "content_hash", "pixel_hash", "perceptual_hash"), "")
    place = {"path": path, "split": split, "label": "happy", "status": status, "reason": reason}
    return {**numbers, **measures, **texts, **place}


@pytest.fixture
def table():
    return manifest.make_table(
        [
            row("c.jpg", "eval"),
            row("a.jpg", "train"),
            row("b.jpg", "train", "pruned", "truncated"),
            row("note.txt", "", "pruned", "outside_class_folder"),
        ]
    )


def test_a_table_has_its_columns_and_is_sorted(table):
    assert dict(table.dtypes.astype(str)) == manifest.COLUMNS
    assert list(table["path"]) == ["a.jpg", "b.jpg", "c.jpg", "note.txt"]


def test_an_empty_table_has_its_columns_too():
    assert dict(manifest.make_table([]).dtypes.astype(str)) == manifest.COLUMNS


def test_comes_back_from_its_file_as_it_was(table, tmp_path):
    written = manifest.Manifest(
        table, pathlib.Path("/data/faces"), "faces.zip", notes=("a", "b"), drawn=True
    )
    manifest.write_manifest(written, tmp_path / "uri")
    assert sorted(path.name for path in (tmp_path / "uri").iterdir()) == [
        "manifest.parquet",
        "source.json",
    ]
    read = manifest.read_manifest(tmp_path / "uri")
    pd.testing.assert_frame_equal(read.table, table)
    assert (read.root, read.source) == (written.root, written.source)
    assert (read.notes, read.drawn) == (("a", "b"), True)


def test_picks_the_kept_rows(table):
    assert list(manifest.kept_rows(table)["path"]) == ["a.jpg", "c.jpg"]
    assert list(manifest.kept_rows(table, "eval")["path"]) == ["c.jpg"]
    with pytest.raises(ValueError, match="split must be one of"):
        manifest.kept_rows(table, "validation")


def test_prunes_only_rows_that_were_kept(table):
    pruned = manifest.prune(table, {"a.jpg", "b.jpg"}, PruneReason.EXACT_COPY)
    assert list(pruned["status"]) == ["pruned", "pruned", "kept", "pruned"]
    assert list(pruned["reason"]) == ["exact_copy", "truncated", "", "outside_class_folder"]
    assert list(table["status"]) == ["kept", "pruned", "kept", "pruned"]


def test_counts_every_file_once(table):
    counts = manifest.counts_by_split(table)
    assert counts == {
        "train": {"found": 2, "kept": 1, "pruned": 1, "pruned_by_reason": {"truncated": 1}},
        "eval": {"found": 1, "kept": 1, "pruned": 0, "pruned_by_reason": {}},
        "other": {
            "found": 1,
            "kept": 0,
            "pruned": 1,
            "pruned_by_reason": {"outside_class_folder": 1},
        },
    }
    assert sum(split["found"] for split in counts.values()) == len(table)


def test_every_reason_says_what_it_means():
    assert all(reason.meaning for reason in PruneReason)
    assert PruneReason("truncated") is PruneReason.TRUNCATED
