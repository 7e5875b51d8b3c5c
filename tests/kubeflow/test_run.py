"""The compiled pipeline, run task by task from its YAML."""

import dataclasses
import json
import pathlib

import pytest
import yaml

from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.components.image_ingest.manifest import counts_by_split, read_manifest
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.kubeflow.config import KubeflowConfig
from emotion_pipeline.kubeflow.parameters import apply_parameters
from tests.kubeflow.conftest import PARAMETERS
from tests.kubeflow.kfp_stand_in import LOGS_OUTPUT, TYPED, VERTEX, Run, RunError
from tests.kubeflow.pods import Forks, Processes

pytestmark = pytest.mark.slow


def test_open_source_way_runs_every_task_to_a_pushed_version(compiled, whole_run):
    assert set(whole_run.tasks) == set(whole_run.spec["root"]["dag"]["tasks"])
    for task in whole_run.tasks.values():
        assert LOGS_OUTPUT in task.outputs
        assert all(one["uri"].startswith("minio://") for one in task.outputs.values())
        for value in task.inputs["inputs"].get("artifacts", {}).values():
            assert value["artifacts"][0]["type"] == {"instanceSchema": ""}
    evaluator = whole_run.tasks["Evaluator"]
    assert evaluator.outputs["blessing"]["metadata"]["blessed"] == 1
    pushed = whole_run.tasks["Pusher"].outputs["pushed_model"]["metadata"]
    versions = [path.name for path in compiled.push_dir.iterdir()]
    assert versions == [pushed["pushed_version"]]
    assert (compiled.push_dir / versions[0] / "saved_model.pb").is_file()


def test_the_counts_are_those_of_the_drawn_data(compiled, whole_run):
    ingested = read_manifest(str(whole_run.folder("ImageIngest", "manifest")))
    counts = counts_by_split(ingested.table)
    found = {
        split: len(list((compiled.data / "images" / folder).rglob("*.jpg")))
        for split, folder in (("train", "train"), ("eval", "validation"))
    }
    assert {split: counts[split]["kept"] for split in found} == found
    inputs = whole_run.tasks["ImageExampleGen"].inputs["inputs"]["artifacts"]
    uri = inputs["manifest"]["artifacts"][0]["uri"]
    kept = counts_by_split(read_manifest(str(whole_run.stored(uri))).table)["train"]["kept"]
    balanced = whole_run.tasks["ClassBalancer"].outputs["balanced_examples"]["metadata"]
    by_class = json.loads(balanced["class_counts"])
    assert list(by_class) == sorted(LABELS)
    assert {one["after"] for one in by_class.values()} == {
        max(one["before"] for one in by_class.values())
    }
    assert sum(one["before"] for one in by_class.values()) == kept


def test_runtime_parameters_reach_the_trainer(whole_run):
    parameters = whole_run.tasks["Trainer"].inputs["inputs"]["parameterValues"]
    assert {name: parameters[name] for name in PARAMETERS} == PARAMETERS
    training = json.loads((whole_run.folder("Trainer", "model_run") / "training.json").read_text())
    assert training["epochs"] == 1


def test_the_pushed_model_is_the_next_baseline(compiled, whole_run):
    first = whole_run.tasks["PushedModel"].outputs["model"]["metadata"]
    assert (first["absent"], first["pushed_version"]) == (1, "")
    assert "baseline_model" not in str(whole_run.tasks["Evaluator"].outputs["blessing"]["metadata"])
    (version,) = (path.name for path in compiled.push_dir.iterdir())
    model = whole_run.repeat("PushedModel").outputs["model"]["metadata"]
    assert (model["absent"], model["pushed_version"]) == (0, version)
    blessing = whole_run.repeat("Evaluator").outputs["blessing"]["metadata"]
    assert blessing["blessed"] == 1
    assert blessing["baseline_model"] == whole_run.tasks["PushedModel"].outputs["model"]["uri"]
    assert blessing["current_model"] == whole_run.tasks["Trainer"].outputs["model"]["uri"]
    assert blessing["baseline_model_id"] == whole_run.tasks["PushedModel"].outputs["model"]["name"]


def test_a_process_of_its_own_does_what_the_forked_one_did(whole_run):
    forked = read_manifest(str(whole_run.folder("ImageIngest", "manifest")))
    whole_run.repeat("ImageIngest", Processes())
    own = read_manifest(str(whole_run.folder("ImageIngest", "manifest")))
    assert own.table.equals(forked.table)


def test_typed_way_runs_the_first_tasks(compiled, tmp_path):
    run = Run(compiled.package, tmp_path, Forks(), ways=TYPED)
    run.run(until="ImageExampleGen")
    assert (run.folder("ImageExampleGen", "examples") / "Split-train").is_dir()


@pytest.fixture(scope="module")
def config(compiled) -> PipelineConfig:
    """The settings that the package was compiled with."""
    spec = yaml.safe_load(compiled.package.read_text())
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    return apply_parameters({"settings": parameters["settings"]["defaultValue"]})


def test_vertex_way_runs_the_first_tasks_of_a_job(config, tmp_path):
    from emotion_pipeline.kubeflow.compile import compile_pipeline, write_package

    kubeflow = KubeflowConfig(
        vertex=True, pipeline_root="gs://bucket/emotion", data_claim="", models_claim=""
    )
    package = tmp_path / "job.json"
    write_package(compile_pipeline(config, kubeflow), package)
    run = Run(package, tmp_path / "run", Forks(), ways=VERTEX, parameters=PARAMETERS)
    run.run(until="ImageExampleGen")
    examples = run.tasks["ImageExampleGen"].outputs["examples"]
    assert examples["uri"].startswith("gs://bucket/emotion/emotion/")
    assert (run.stored(examples["uri"]) / "Split-train").is_dir()


@pytest.fixture(scope="module")
def plain_package(config, tmp_path_factory) -> pathlib.Path:
    """The package as TFX compiles it, for TFX's own entrypoint."""
    from emotion_pipeline.kubeflow.compile import tfx_spec

    plain = tfx_spec(config, KubeflowConfig())
    plain["defaultPipelineRoot"] = KubeflowConfig().pipeline_root
    path = tmp_path_factory.mktemp("plain") / "pipeline.yaml"
    path.write_text(yaml.safe_dump(plain))
    return path


def test_without_our_entrypoint_the_typed_way_works(plain_package, tmp_path):
    """What fails below fails for open-source Kubeflow's ways, and not for the stand-in's."""
    run = Run(plain_package, tmp_path, Forks(), ways=TYPED)
    run.run(until="ImageExampleGen")
    assert (run.folder("ImageExampleGen", "examples") / "Split-train").is_dir()


@pytest.mark.parametrize(
    ("way", "until", "message"),
    [
        ({"publishes_logs": True}, "ImageIngest", r"Could not import system\.Artifact"),
        ({"has_object_store": True}, "ImageIngest", "minio"),
        ({"is_typed": False}, "ImageAudit", "'NoneType' object has no attribute 'get'"),
    ],
)
def test_without_our_entrypoint_each_of_open_source_kubeflows_ways_is_the_end(
    plain_package, tmp_path, way, until, message
):
    run = Run(plain_package, tmp_path, Forks(), ways=dataclasses.replace(TYPED, **way))
    with pytest.raises(RunError, match=message) as failed:
        run.run(until=until)
    assert f"task {until} ended" in str(failed.value)
