"""What kustomize makes of the manifests, for clusters that differ."""

import pathlib
import shutil
import subprocess

import pytest
import yaml

from tests.kubeflow.test_manifests import DEPLOY, MANIFESTS, REPOSITORY, validate

OVERLAYS = REPOSITORY / "serving" / "overlays"
CUSTOM_KINDS = {"ServiceMonitor", "InferenceService"}
"""Of operators: Kubernetes has no schema for them."""


def build(folder: pathlib.Path) -> list[dict]:
    kustomize = shutil.which("kustomize")
    if kustomize is None:
        pytest.skip(
            "kustomize is not on PATH: go install sigs.k8s.io/kustomize/kustomize/v5@v5.4.3, "
            "and $(go env GOPATH)/bin on PATH"
        )
    done = subprocess.run(
        [kustomize, "build", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def by_kind_and_name(objects: list[dict]) -> dict[tuple[str, str], dict]:
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


@pytest.fixture(scope="module")
def example():
    return build(OVERLAYS / "example")


def test_the_base_is_every_manifest_and_the_servers_configuration():
    plain = [one for path in MANIFESTS for one in yaml.safe_load_all(path.read_text())]
    built = by_kind_and_name(build(DEPLOY))
    (config,) = [one for (kind, _), one in built.items() if kind == "ConfigMap"]
    assert built.keys() - by_kind_and_name(plain).keys() == {
        ("ConfigMap", config["metadata"]["name"])
    }
    assert by_kind_and_name(plain).keys() <= built.keys()
    files = {path.name: path.read_text() for path in DEPLOY.glob("*.config")}
    assert config["data"] == files
    pod = built["Deployment", "emotion-model-server"]["spec"]["template"]["spec"]
    mounted = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
    assert mounted == [config["metadata"]["name"]]


def test_an_overlay_changes_registry_namespace_storage_and_limits(example, tmp_path):
    for one in example:
        assert one["metadata"]["namespace"] == "kubeflow"
        if one["kind"] == "PersistentVolumeClaim":
            assert one["spec"]["storageClassName"] == "nfs-client"
        if one["kind"] == "HorizontalPodAutoscaler":
            assert one["spec"]["maxReplicas"] == 4
        if one["kind"] == "Deployment":
            for container in one["spec"]["template"]["spec"]["containers"]:
                assert container["image"].startswith("registry.example/")
    known = tmp_path / "known.yaml"
    known.write_text(yaml.safe_dump_all(one for one in example if one["kind"] not in CUSTOM_KINDS))
    is_valid, output = validate(known)
    assert is_valid, output


def test_prometheus_finds_one_service_with_the_port_of_the_metrics(example):
    (monitor,) = [one for one in example if one["kind"] == "ServiceMonitor"]
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    scraped = [
        one["metadata"]["name"]
        for one in example
        if one["kind"] == "Service"
        and wanted <= one["metadata"]["labels"].items()
        and endpoint["port"] in [port["name"] for port in one["spec"]["ports"]]
    ]
    assert scraped == ["emotion-model-server"]
    served = (DEPLOY / "monitoring.config").read_text()
    assert f'path: "{endpoint["path"]}"' in served


def test_kserve_serves_the_pushed_models_with_the_tensorflow_that_exports():
    (service,) = build(OVERLAYS / "kserve")
    model = service["spec"]["predictor"]["model"]
    volumes = yaml.safe_load_all((DEPLOY / "kubernetes" / "volumes.yaml").read_text())
    claims = [one["metadata"]["name"] for one in volumes]
    claim, _, folder = model["storageUri"].removeprefix("pvc://").partition("/")
    assert claim in claims
    assert folder == "emotion"
    image = (DEPLOY / "kubernetes" / "model-server.yaml").read_text()
    assert f"image: tensorflow/serving:{model['runtimeVersion']}" in image
