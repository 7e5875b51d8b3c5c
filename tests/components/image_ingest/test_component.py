import json
import os
import pathlib

import pytest
from tfx.dsl.components.base import base_executor
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local import local_dag_runner

from emotion_pipeline.components import artifacts
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_ingest import executor
from emotion_pipeline.components.image_ingest.component import ImageIngest
from emotion_pipeline.components.image_ingest.manifest import read_manifest
from tests.components.pictures import write_data_set

pytestmark = pytest.mark.slow


def run_executor(source, folder, **changes):
    """Run the executor on a temporary artifact and return the artifact."""
    manifest = artifacts.ImageManifest()
    manifest.uri = str(folder / "manifest")
    properties = {
        "source": str(source),
        "cache_dir": str(folder / "cache"),
        "eval_fraction": 0.2,
        "max_pruned_fraction": 0.1,
        "class_names": "{}",
        "source_fingerprint": "",
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
