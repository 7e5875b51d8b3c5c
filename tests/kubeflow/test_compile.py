"""What the package holds, read back against the published messages."""

import copy
import itertools
import json

import pytest
import yaml
from google.protobuf import json_format

from emotion_pipeline.cli import main
from emotion_pipeline.components.errors import UsageError, UserError
from emotion_pipeline.kubeflow.config import (
    KubeflowConfig,
    Resources,
    kubeflow_defaults,
    parse_resources,
)
from emotion_pipeline.kubeflow.parameters import (
    DEFAULT_PARAMETERS,
    apply_parameters,
    flatten,
    parameter_name,
    parameter_specs,
)
from emotion_pipeline.settings import to_dict, with_overrides

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def documents():
    """A package with all that it can have."""
    from emotion_pipeline.kubeflow.compile import compile_pipeline

    kubeflow = KubeflowConfig(
        image="registry.example/emotion:7",
        pipeline_root="s3://bucket/emotion",
        kaggle_secret="kaggle",
        step_resources={"Trainer": Resources(cpus=8, memory_gb=16, gpus=1)},
        parameters=("train.learning_rate",),
    )
    config = with_overrides(kubeflow_defaults(), {"data": "kaggle:someone/faces"})
    return compile_pipeline(config, kubeflow)


def executors(spec):
    return spec["deploymentSpec"]["executors"]


def test_kfp_loads_the_package(compiled):
    from kfp import components

    component = components.load_component_from_file(str(compiled.package))
    assert component.name == "emotion"
    spec = yaml.safe_load(compiled.package.read_text())
    assert set(component.component_spec.inputs) == set(
        spec["root"]["inputDefinitions"]["parameters"]
    )
    assert all(one.optional for one in component.component_spec.inputs.values())


def test_every_field_is_one_of_pipeline_spec_and_survives(documents):
    from kfp.pipeline_spec import pipeline_spec_pb2 as messages

    spec = documents[0]
    message = json_format.ParseDict(spec, messages.PipelineSpec())
    assert json_format.MessageToDict(message) == spec
    # The deployment is a free Struct in PipelineSpec, and a message of its own.
    deployment = json_format.ParseDict(spec["deploymentSpec"], messages.PipelineDeploymentConfig())
    assert json_format.MessageToDict(deployment) == spec["deploymentSpec"]
    assert (spec["schemaVersion"], spec["pipelineInfo"]) == ("2.1.0", {"name": "emotion"})
    wrong = copy.deepcopy(spec)
    wrong["root"]["dag"]["tasks"]["Trainer"]["inputz"] = {}
    with pytest.raises(json_format.ParseError, match="inputz"):
        json_format.ParseDict(wrong, messages.PipelineSpec())


def test_platform_document_is_read_back_too(documents):
    from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes
    from kfp.pipeline_spec import pipeline_spec_pb2 as messages

    spec, platform = documents
    message = json_format.ParseDict(platform, messages.PlatformSpec())
    assert json_format.MessageToDict(message) == platform
    by_label = executors(platform["platforms"]["kubernetes"])
    assert set(by_label) == set(executors(spec))
    for extras in by_label.values():
        config = json_format.ParseDict(extras, kubernetes.KubernetesExecutorConfig())
        assert json_format.MessageToDict(config) == extras
        assert extras["pvcMount"] == [
            {"constant": "emotion-data", "mountPath": "/mnt/data"},
            {"constant": "emotion-models", "mountPath": "/mnt/models"},
        ]


def test_restricted_steps_say_that_they_do_not_run_as_root(documents):
    """As the field is called in KubernetesExecutorConfig of kfp-kubernetes 2.17.3; the locked one has none."""
    from emotion_pipeline.kubeflow.platform import platform_spec

    spec = documents[0]
    bare = platform_spec(spec, KubeflowConfig(data_claim="", models_claim="", restricted=True))
    assert executors(bare["platforms"]["kubernetes"]) == {
        label: {"securityContext": {"runAsNonRoot": True}} for label in executors(spec)
    }
    assert "securityContext" not in str(documents[1])
    with pytest.raises(UserError, match="--restricted"):
        KubeflowConfig(
            pipeline_root="gs://b/r", data_claim="", models_claim="", restricted=True, vertex=True
        )


def test_two_steps_at_most_run_at_once_and_trainer_alone(documents):
    """What docs/kubeflow.md says a cluster must have room for."""
    tasks = documents[0]["root"]["dag"]["tasks"]

    def before(name):
        needed = tasks[name].get("dependentTasks", [])
        return set(needed).union(*map(before, needed))

    apart = {
        frozenset(pair)
        for pair in itertools.combinations(tasks, 2)
        if pair[0] not in before(pair[1]) and pair[1] not in before(pair[0])
    }
    assert frozenset({"ImageIngest", "ImportSchemaGen"}) in apart
    assert not any("Trainer" in pair for pair in apart)
    for three in itertools.combinations(tasks, 3):
        assert not apart.issuperset(map(frozenset, itertools.combinations(three, 2))), three


def test_the_kaggle_key_goes_only_where_no_artifact_is_read(documents):
    spec, platform = documents
    given = {
        label
        for label, extras in executors(platform["platforms"]["kubernetes"]).items()
        if "secretAsEnv" in extras
    }
    readers = {
        component["executorLabel"]
        for component in spec["components"].values()
        if component["inputDefinitions"].get("artifacts")
    }
    assert "ImageIngest_executor" in given
    assert given == set(executors(spec)) - readers


def test_every_step_runs_our_entrypoint_in_the_image(documents):
    spec = documents[0]
    for node, component in spec["components"].items():
        container = executors(spec)[component["executorLabel"]]["container"]
        assert container["image"] == "registry.example/emotion:7"
        assert container["command"] == [
            "python", "-m", "emotion_pipeline.kubeflow.entrypoint", "--node", node,
        ]  # fmt: skip
        assert "{{$}}" in container["args"]
        if node == "Trainer":
            assert container["resources"] == {
                "cpuRequest": 8.0,
                "memoryRequest": 16.0,
                "memoryLimit": 16.0,
                "accelerator": {"type": "nvidia.com/gpu", "count": "1"},
            }
        else:
            assert container["resources"]["memoryLimit"] == KubeflowConfig().resources.memory_gb
    assert spec["defaultPipelineRoot"] == "s3://bucket/emotion"


def test_nothing_is_cached_and_nothing_is_left_that_kubeflow_cannot_run(documents):
    for task in documents[0]["root"]["dag"]["tasks"].values():
        assert not task.get("cachingOptions")
    assert all(set(one) == {"container"} for one in executors(documents[0]).values())


@pytest.fixture(scope="module")
def vertex_job(tmp_path_factory):
    """What the command writes for Vertex AI."""
    path = tmp_path_factory.mktemp("vertex") / "job.json"
    status = main([
        "kubeflow", "compile", "--vertex", "--out", str(path), "--pipeline-root", "gs://bucket/root",
        "--image", "region-docker.pkg.dev/project/team/emotion:1", "--data", "/gcs/bucket/faces",
        "--root", "/gcs/bucket/emotion", "--push-dir", "/gcs/bucket/models/emotion",
        "--resources", "Trainer=cpus:8,memory:30,gpus:1", "--gpu-type", "NVIDIA_TESLA_T4",
    ])  # fmt: skip
    assert status == 0
    return path


def test_vertex_ai_gets_a_pipeline_job_of_known_fields(vertex_job):
    from kfp.pipeline_spec import pipeline_spec_pb2 as messages

    job = json.loads(vertex_job.read_text())
    message = json_format.ParseDict(job, messages.PipelineJob())
    assert json_format.MessageToDict(message) == job
    json_format.ParseDict(job["pipelineSpec"], messages.PipelineSpec())
    containers = [one["container"] for one in executors(job["pipelineSpec"]).values()]
    assert [one["resources"]["accelerator"] for one in containers if "accelerator" in
            one["resources"]] == [{"type": "NVIDIA_TESLA_T4", "count": "1"}]  # fmt: skip


def test_vertex_ais_own_client_takes_the_job_and_its_parameters(vertex_job):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    def make(**parameters):
        return aiplatform.PipelineJob(
            "emotion", str(vertex_job), parameter_values=parameters, project="project",
            location="europe-west4", credentials=AnonymousCredentials(),
        ).to_dict()  # fmt: skip

    made = make(train_epochs=3)
    assert made["pipelineSpec"] == json.loads(vertex_job.read_text())["pipelineSpec"]
    assert made["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/root"
    assert made["runtimeConfig"]["parameterValues"] == {"train_epochs": 3}
    with pytest.raises(ValueError, match="nonsense is not found"):
        make(nonsense=1)


def test_every_runtime_parameter_has_its_default_and_reaches_every_task(documents):
    spec = documents[0]
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    settings = (*DEFAULT_PARAMETERS, "train.learning_rate")
    assert set(parameters) == {"settings", *map(parameter_name, settings)}
    values = flatten(json.loads(parameters["settings"]["defaultValue"]))
    for setting in settings:
        assert parameters[parameter_name(setting)]["defaultValue"] == values[setting]
    assert parameters["data"]["defaultValue"] == "kaggle:someone/faces"
    for task in spec["root"]["dag"]["tasks"].values():
        assert task["inputs"]["parameters"] == {
            **{name: {"componentInputParameter": name} for name in parameters},
            "pipeline_job_uuid": {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}},
            "pipeline_job_name": {"runtimeValue": {"constant": "{{$.pipeline_job_name}}"}},
        }


CHANGED = {
    "data": "/mnt/data/other",
    "push_dir": "/mnt/models/other",
    "seed": 99.0,
    "train_epochs": 7.0,
    "thresholds_accuracy": 0.625,
    "thresholds_macro_f1": 0.875,
    "thresholds_max_accuracy_drop": 0.125,
    "thresholds_confidence": 0.75,
}
REACHES = {
    "data": {"ImageIngest"},
    "push_dir": {"Pusher", "PushedModel"},
    "seed": {"ClassBalancer", "Trainer"},
    "train_epochs": {"Trainer"},
    "thresholds_accuracy": {"Evaluator"},
    "thresholds_macro_f1": {"Evaluator"},
    "thresholds_max_accuracy_drop": {"Evaluator"},
    "thresholds_confidence": {"Evaluator"},
}


def test_changing_a_parameter_changes_what_the_task_gets(documents):
    from emotion_pipeline.kubeflow.entrypoint import execution_properties

    assert set(CHANGED) == set(map(parameter_name, DEFAULT_PARAMETERS))
    spec = documents[0]
    defaults = {
        name: one["defaultValue"]
        for name, one in spec["root"]["inputDefinitions"]["parameters"].items()
    }
    before = {node: execution_properties(node, defaults) for node in spec["components"]}
    for name, value in CHANGED.items():
        changed = {
            node: execution_properties(node, {**defaults, name: value}) for node in REACHES[name]
        }
        for node, properties in changed.items():
            assert properties != before[node], f"{name} does not reach {node}"
            assert str(value).removesuffix(".0") in json.dumps(properties), (name, node)


def test_the_votes_reach_the_ingestion():
    from emotion_pipeline.kubeflow.entrypoint import execution_properties

    settings = {
        "votes": "/mnt/data/votes.csv",
        "votes_columns": {"classes": {"angry": "anger"}, "other": ["NF"]},
    }
    config = with_overrides(kubeflow_defaults(), settings)
    given = execution_properties("ImageIngest", {"settings": json.dumps(to_dict(config))})
    assert given["votes"] == "/mnt/data/votes.csv"
    assert json.loads(given["votes_columns"]) == {
        "labels": list(config.labels),
        "file": "file",
        "classes": {"angry": ["anger"]},
        "other": ["NF"],
        "ignored": [],
    }
    # The file lies in the container and not where the package is made.
    assert given["votes_fingerprint"] == ""


def test_the_parameters_keep_their_types_and_ranges():
    config = kubeflow_defaults()
    settings = json.dumps(to_dict(config))
    changed = apply_parameters({"settings": settings, "train_epochs": 3.0, "seed": 4})
    assert (changed.train.epochs, changed.seed) == (3, 4)
    assert isinstance(changed.train.epochs, int)
    assert apply_parameters({"settings": settings}) == config
    for name, value, message in (
        ("train_epochs", 2.5, r"train.epochs: expected a whole number, got 2\.5"),
        ("train_epochs", 0.0, "train.epochs: must be from 1 to 100000"),
        ("thresholds_accuracy", 1.5, r"thresholds.accuracy: must be in \[0, 1\]"),
        ("nonsense", 1, "nonsense: there is no such parameter"),
    ):
        with pytest.raises(UserError, match=message):
            apply_parameters({"settings": settings, name: value})


@pytest.mark.parametrize(
    ("setting", "message"),
    [("epochs", "there is no such setting"), ("labels", "only texts, numbers and truth values")],
)
def test_settings_that_cannot_be_parameters(setting, message):
    with pytest.raises(UserError, match=f"--parameter {setting}: .*{message}"):
        parameter_specs(kubeflow_defaults(), [setting])


VERTEX = ["--vertex", "--pipeline-root", "gs://bucket/root"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image", "two words"], "--image: must be the name of an image"),
        (["--image", "Emotion:1"], "--image: must be the name of an image"),
        (["--image", "emotion:"], "--image: must be the name of an image"),
        (["--pipeline-root", "/tmp/x"], "--pipeline-root: must be a folder in an object store"),
        (["--pipeline-root", "s3://"], "--pipeline-root: must be a folder in an object store"),
        (["--resources", "cpus=2"], "--resources cpus=2: expected"),
        (["--resources", "cpus:0"], "cpus: must be above 0"),
        (["--root", "runs/here"], "--root: must be an absolute path"),
        (["--votes", "votes.csv"], "--votes: must be an absolute path"),
        (["--push-dir", "pushed"], "--push-dir: must be an absolute path"),
        (["--data", "/mnt/data"], "--root /mnt/data/emotion: lies inside the data"),
        (["--data", "kaggle:a/b"], "name it with --kaggle-secret"),
        (["--epochs", "0"], "train.epochs: must be from 1 to 100000"),
        (["--vertex"], "--pipeline-root: must be gs://BUCKET/FOLDER with --vertex"),
        ([*VERTEX, "--data-claim", "x"], "--data-claim: must be empty with --vertex"),
        ([*VERTEX, "--kaggle-secret", "x"], "--kaggle-secret: must be empty with --vertex"),
        ([*VERTEX, "--data", "kaggle:a/b"], "--data: must be under /gcs/BUCKET/ with --vertex"),
        (VERTEX, "--root: must be under /gcs/BUCKET/ with --vertex"),
        ([*VERTEX, "--resources", "cpus:2,gpus:1"], "--gpu-type: must be a model with --vertex"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_compiled(arguments, message, tmp_path, capsys):
    out = tmp_path / "pipeline.yaml"
    assert main(["kubeflow", "compile", "--out", str(out), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    "image",
    [
        "emotion",
        "emotion-pipeline:0.1.0",
        "registry.example:5000/team/emotion_pipeline:v1",
        "gcr.io/team/emotion@sha256:" + "0" * 64,
    ],
)
def test_names_that_images_may_have(image):
    assert KubeflowConfig(image=image).image == image


def test_resources_of_an_unknown_step():
    from emotion_pipeline.kubeflow.compile import compile_pipeline

    kubeflow = KubeflowConfig(step_resources=dict([parse_resources("Trainr=cpus:2,memory:4")]))
    with pytest.raises(UserError, match=r"--resources Trainr: there is no such step; .*Trainer"):
        compile_pipeline(kubeflow_defaults(), kubeflow)


def test_the_file_must_be_named_as_kfp_wants_it(tmp_path):
    from emotion_pipeline.kubeflow.compile import write_package

    with pytest.raises(UsageError, match=r"must end in \.yaml"):
        write_package([{}], tmp_path / "pipeline.json")
    with pytest.raises(UsageError, match=r"must end in \.json"):
        write_package([{"pipelineSpec": {}}], tmp_path / "pipeline.yaml")
