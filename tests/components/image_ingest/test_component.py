import json
import logging
import os
import pathlib

import pandas as pd
import pytest
from tfx.dsl.components.base import base_executor
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local import local_dag_runner

from emotion_pipeline.components import artifacts
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_ingest import executor
from emotion_pipeline.components.image_ingest.component import ImageIngest
from emotion_pipeline.components.image_ingest.manifest import VotesRecord, read_manifest
from tests.components.pictures import write_data_set

pytestmark = pytest.mark.slow


def run_executor(source, folder, **changes):
    """Runs the executor on a temporary artifact and returns the artifact."""
    manifest = artifacts.ImageManifest()
    manifest.uri = str(folder / "manifest")
    properties = {
        "source": str(source),
        "cache_dir": str(folder / "cache"),
        "eval_fraction": 0.2,
        "group_by": "",
        "max_pruned_fraction": 0.1,
        "class_names": "{}",
        "source_fingerprint": "",
        "votes": "",
        "votes_columns": "",
        "votes_fingerprint": "",
        "code_fingerprint": "",
        **changes,
    }
    context = base_executor.BaseExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1")
    executor.Executor(context).Do({}, {"manifest": [manifest]}, properties)
    return manifest


@pytest.fixture
def faces(tmp_path):
    write_data_set(tmp_path / "faces")
    return tmp_path / "faces"


def test_writes_the_manifest(faces, tmp_path):
    artifact = run_executor(faces, tmp_path)
    manifest = read_manifest(artifact.uri)
    assert len(manifest.table) == 6
    assert (manifest.root, manifest.source) == (faces, str(faces))
    assert artifact.get_int_custom_property("files_found") == 6
    assert artifact.get_int_custom_property("files_kept") == 6


def test_joins_the_votes_and_keeps_what_is_to_be_told_of_them(faces, tmp_path, caplog):
    table = read_manifest(run_executor(faces, tmp_path / "without").uri).table
    assert not [name for name in table.columns if "votes" in name]
    paths = list(table["path"])
    csv = tmp_path / "votes.csv"
    csv.write_text(f"file,anger,happy,NF\n{paths[0]},1,2,3\nimages/{paths[1]},4,5,6\n")
    columns = {"labels": ["happy", "angry"], "classes": {"angry": ["anger"]}, "other": ["NF"]}
    with caplog.at_level(logging.INFO, "emotion"):
        artifact = run_executor(
            faces, tmp_path / "with", votes=str(csv), votes_columns=json.dumps(columns)
        )
    # The command tells it from the manifest, once.
    assert "votes" not in caplog.text
    manifest = read_manifest(artifact.uri)
    assert manifest.votes == VotesRecord(
        file=str(csv),
        lines=2,
        pictures=1,
        without_votes=5,
        empty=0,
        unknown=1,
        unknown_examples=(f"images/{paths[1]}",),
    )
    assert manifest.table.iloc[0, -3:].to_dict() == {
        "votes/happy": 2.0, "votes/angry": 1.0, "votes_other": 3.0
    }  # fmt: skip
    assert manifest.table.iloc[1:, -3:].isna().all(axis=None)
    pd.testing.assert_frame_equal(manifest.table[table.columns], table)


def test_writes_the_same_bytes_each_time(faces, tmp_path):
    contents = []
    for name in ("first", "second"):
        folder = pathlib.Path(run_executor(faces, tmp_path / name).uri)
        contents.append([file.read_bytes() for file in sorted(folder.iterdir())])
    assert contents[0] == contents[1]


def test_stops_where_too_much_is_unusable(faces, tmp_path):
    (faces / "images/train/happy/empty.jpg").write_bytes(b"")
    assert run_executor(faces, tmp_path / "lenient", max_pruned_fraction=0.2)
    with pytest.raises(UserError, match="1 of 7 pictures cannot be used"):
        run_executor(faces, tmp_path / "strict", max_pruned_fraction=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": ""}, "source must name"),
        ({"cache_dir": ""}, "cache_dir must name"),
        ({"eval_fraction": 0.0}, "eval_fraction must lie between 0 and 1, got 0.0"),
        ({"eval_fraction": 1.0}, "eval_fraction must lie between 0 and 1, got 1.0"),
        ({"max_pruned_fraction": -0.1}, "max_pruned_fraction must be 0 to 1, got -0.1"),
        ({"votes": "votes.csv"}, "labels must name the classes that are voted for"),
    ],
)
def test_refuses_bad_wiring(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageIngest(**{"source": "sample", "cache_dir": "cache", **arguments})


def test_runs_under_the_local_runner_and_is_cached(faces, tmp_path):
    def run(fingerprint):
        component = ImageIngest(str(faces), str(tmp_path / "cache"), source_fingerprint=fingerprint)
        local_dag_runner.LocalDagRunner().run(
            pipeline.Pipeline(
                "ingest",
                str(tmp_path / "root"),
                components=[component],
                enable_cache=True,
                metadata_connection_config=metadata.sqlite_metadata_connection_config(
                    str(tmp_path / "metadata.db")
                ),
            )
        )
        return sorted(os.listdir(tmp_path / "root/ImageIngest/manifest"))

    assert run("one") == ["1"]
    assert run("one") == ["1"]
    assert len(run("two")) == 2
    source = json.loads((tmp_path / "root/ImageIngest/manifest/1/source.json").read_text())
    assert source == {"root": str(faces), "source": str(faces)}


def test_the_manifest_says_whether_the_splits_were_drawn(faces, tmp_path):
    for folder, drawn in ((faces, False), (faces / "images" / "train", True)):
        uri = run_executor(folder, tmp_path / folder.name).uri
        assert read_manifest(uri).drawn is drawn
