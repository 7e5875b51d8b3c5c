"""The manifests and versions of a Flink on Kubernetes, held against the code that they must fit."""

import pathlib
import re
import xml.etree.ElementTree

import pytest
import yaml

from emotion_pipeline.cli import make_parser
from emotion_pipeline.commands.run import make_config
from emotion_pipeline.configs import BeamConfig
from emotion_pipeline.engines.flink import COMMON_SETTINGS, task_manager_settings
from emotion_pipeline.engines.jars import FLINK_VERSION, JOB_SERVER_CLASSES

DEPLOY = pathlib.Path(__file__).parents[3] / "pipeline" / "deploy"
REQUIREMENTS = DEPLOY.parents[1] / "requirements" / "base.in"
MANIFESTS = ("flink/flink.yaml", "flink/run.yaml")
KUBERNETES = "1.30"


def documents(name: str) -> list[dict]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def deployment(name: str) -> dict:
    return next(
        one["spec"]["template"]
        for one in documents("flink/flink.yaml")
        if (one["kind"], one["metadata"]["name"]) == ("Deployment", name)
    )


def container(name: str, template: dict) -> dict:
    return next(one for one in template["spec"]["containers"] if one["name"] == name)


@pytest.mark.parametrize("name", MANIFESTS)
def test_kubernetes_takes_them(name):
    validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate, which has the schemas, is not installed"
    )
    for document in documents(name):
        validate.validate(document, KUBERNETES, strict=True)
    misspelt = documents("flink/flink.yaml")[0]
    misspelt["spec"]["acessModes"] = misspelt["spec"].pop("accessModes")
    with pytest.raises(validate.ValidationError):
        validate.validate(misspelt, KUBERNETES, strict=True)


def test_services_lead_to_pods_and_ports_that_are_there():
    services = [one for one in documents("flink/flink.yaml") if one["kind"] == "Service"]
    assert {one["metadata"]["name"] for one in services} == {"flink-jobmanager", "beam-job-server"}
    for service in services:
        pods = [
            one["spec"]["template"]
            for one in documents("flink/flink.yaml")
            if one["kind"] == "Deployment"
            and one["spec"]["template"]["metadata"]["labels"] == service["spec"]["selector"]
        ]
        (pod,) = pods
        opened = {port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
        assert {port["port"] for port in service["spec"]["ports"]} <= opened


def test_a_worker_pool_of_the_projects_image_stands_beside_each_task_manager():
    template = deployment("flink-taskmanager")
    pool = container("worker-pool", template)
    assert pool["image"].startswith("emotion-pipeline:")
    address = f"localhost:{pool['command'][-1]}"
    assert address == BeamConfig().worker_pool
    assert pool["command"][:3] == ["python", "-m", "emotion_pipeline.engines.worker_pool"]


def test_the_cluster_has_the_settings_that_were_tried():
    (config,) = [one for one in documents("flink/flink.yaml") if one["kind"] == "ConfigMap"]
    properties = yaml.safe_load(config["data"]["FLINK_PROPERTIES"])
    tried = task_manager_settings(slots=properties["taskmanager.numberOfTaskSlots"])
    for key in ("network.min", "network.max", "task.off-heap.size"):
        assert properties[f"taskmanager.memory.{key}"] == tried[f"taskmanager.memory.{key}"]
    assert properties["classloader.resolve-order"] == "parent-first"
    for key in ("restart-strategy.type", "restart-strategy.fixed-delay.attempts"):
        assert str(properties[key]) == COMMON_SETTINGS[key]
    command = container("job-server", deployment("beam-job-server"))["command"]
    assert JOB_SERVER_CLASSES["flink"] in command


def test_the_run_uses_the_cluster_and_its_volume(monkeypatch):
    monkeypatch.setattr("os.path.lexists", lambda path: True)  # the volume is the pod's
    (job,) = documents("flink/run.yaml")
    run = container("run", job["spec"]["template"])
    config = make_config(make_parser().parse_args(run["args"]))
    names = {one["metadata"]["name"] for one in documents("flink/flink.yaml")}
    for address in (config.beam.flink_master, config.beam.job_endpoint):
        assert address.partition(":")[0] in names
    shared = container("worker-pool", deployment("flink-taskmanager"))["volumeMounts"]
    assert run["volumeMounts"] == shared
    assert all(path.startswith(shared[0]["mountPath"]) for path in (config.root, config.data))


def test_the_versions_of_beam_and_flink_are_those_that_were_tried():
    namespace = {"m": "http://maven.apache.org/POM/4.0.0"}
    for engine, artifact in (("flink", f"beam-runners-flink-{FLINK_VERSION[:4]}"),
                             ("spark", "beam-runners-spark-3")):  # fmt: skip
        project = xml.etree.ElementTree.parse(DEPLOY / engine / "pom.xml").getroot()
        version = project.findtext("m:properties/m:beam.version", "", namespace)
        assert f"apache-beam=={version}" in REQUIREMENTS.read_text()
        names = [one.text for one in project.iterfind(".//m:dependency/m:artifactId", namespace)]
        assert artifact in names
    dockerfile = (DEPLOY / "flink" / "Dockerfile").read_text()
    assert re.search(r"^ARG FLINK=flink:([\d.]+)-", dockerfile, re.MULTILINE)[1] == FLINK_VERSION
