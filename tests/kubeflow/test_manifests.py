"""The Kubernetes manifests and the compose file."""

import pathlib
import re
import subprocess
import sys

import pytest
import yaml

from emotion_faces import tfserving
from emotion_pipeline.kubeflow.config import KubeflowConfig

REPOSITORY = pathlib.Path(__file__).parents[2]
DEPLOY = REPOSITORY / "serving" / "deploy"
PIPELINE_DEPLOY = REPOSITORY / "pipeline" / "deploy"
OWNERS = [PIPELINE_DEPLOY / "volume-owner.yaml", PIPELINE_DEPLOY / "flink" / "volume-owner.yaml"]
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
KUBERNETES_VERSION = "1.30"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def validate(path):
    """Returns whether a manifest is valid, a warning (an unknown kind) being none, and the output."""
    done = subprocess.run(
        [
            str(pathlib.Path(sys.executable).parent / "kubernetes-validate"),
            *("--strict", "-k", KUBERNETES_VERSION, str(path)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    return done.returncode == 0 and "WARN" not in output and "INFO" in output, output


def objects():
    for path in MANIFESTS:
        yield from yaml.safe_load_all(path.read_text())


def pods(paths):
    """Yields the names and PodSpecs of the workloads in some files."""
    for path in paths:
        for one in yaml.safe_load_all(path.read_text()):
            if one["kind"] in ("Deployment", "Job"):
                yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def breaches_of_restricted(pod):
    """Yields what Pod Security's "restricted" would refuse in a PodSpec, by its rules for 1.30."""
    whole = pod.get("securityContext", {})
    if any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        yield "a namespace of the host"
    kinds = {"name", "configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
    if any(set(volume) - kinds for volume in pod.get("volumes", [])):
        yield "a kind of volume"
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        own = container.get("securityContext", {})
        security = {**whole, **own}
        capabilities = own.get("capabilities", {})
        if security.get("runAsNonRoot") is not True or security.get("runAsUser") == 0:
            yield "runAsNonRoot"
        if security.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            yield "seccompProfile"
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            yield "privileges"
        if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {
            "NET_BIND_SERVICE"
        }:
            yield "capabilities"


def test_a_namespace_that_enforces_restricted_takes_every_pod_but_the_owners():
    flink = [PIPELINE_DEPLOY / "flink" / name for name in ("flink.yaml", "run.yaml")]
    found = {name: list(breaches_of_restricted(pod)) for name, pod in pods([*MANIFESTS, *flink])}
    assert found == {
        name: []
        for name in ("emotion-model-server", "emotion-page", "flink-jobmanager",
                     "flink-taskmanager", "beam-job-server", "emotion-run")
    }  # fmt: skip
    for _, pod in pods(OWNERS):
        assert list(breaches_of_restricted(pod)) == ["runAsNonRoot", "capabilities"]


def test_every_volume_that_pods_write_can_be_given_to_their_user():
    claims = set(re.findall(r"claimName: ([\w-]+)", "".join(path.read_text() for path in OWNERS)))
    assert claims == {KubeflowConfig().data_claim, KubeflowConfig().models_claim, "emotion-shared"}
    for _, pod in pods(OWNERS):
        (container,) = pod["containers"]
        assert container["command"][2] == "10001:10001"
        assert container["command"][3:] == [m["mountPath"] for m in container["volumeMounts"]]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN"]}


def test_manifests_are_valid():
    assert len(MANIFESTS) >= 4
    for path in [*MANIFESTS, *OWNERS]:
        is_valid, output = validate(path)
        assert is_valid, output


@pytest.mark.parametrize(
    ("old", "new"), [("readOnlyRootFilesystem", "readOnlyRootFileSystem"), ("kind: Deployment", "kind: Deploy")]
)  # fmt: skip
def test_a_misspelt_field_and_an_unknown_kind_are_found(tmp_path, old, new):
    path = tmp_path / "wrong.yaml"
    text = (DEPLOY / "kubernetes" / "model-server.yaml").read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert not validate(path)[0]


def test_every_pod_is_confined():
    deployments = [one for one in objects() if one["kind"] == "Deployment"]
    assert deployments
    for deployment in deployments:
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
    policed = {
        one["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
        for one in objects()
        if one["kind"] == "NetworkPolicy"
    }
    assert policed == {deployment["metadata"]["name"] for deployment in deployments}


def test_a_process_that_hangs_is_noticed():
    """The kernel accepts a connection for one, so an open port says nothing."""
    for one in objects():
        if one["kind"] != "Deployment":
            continue
        for container in one["spec"]["template"]["spec"]["containers"]:
            probe = container["livenessProbe"]
            assert {"grpc", "httpGet"} & set(probe), container["name"]
            assert probe["timeoutSeconds"] >= 10
            if "grpc" in probe:  # off in TensorFlow Serving unless asked for
                assert "--enable_grpc_healthcheck_service=true" in container["args"]


def test_the_model_server_takes_more_callers_than_its_default():
    flag = f"--grpc_max_threads={tfserving.GRPC_MAX_THREADS}"
    assert flag in (DEPLOY / "kubernetes" / "model-server.yaml").read_text()
    assert flag in COMPOSE["services"]["model-server"]["command"]


def test_the_model_server_is_of_the_release_that_the_image_exports_for():
    lock = (REPOSITORY / "requirements" / "image" / "pipeline-py310.lock").read_text()
    exporting = re.search(r"^tensorflow==(\d+\.\d+)", lock, re.MULTILINE)[1]
    image = f"tensorflow/serving:{tfserving.RELEASES[exporting]}"
    assert f"image: {image}\n" in (DEPLOY / "kubernetes" / "model-server.yaml").read_text()
    assert COMPOSE["services"]["model-server"]["image"] == image


def test_names_fit_together():
    kubeflow = KubeflowConfig()
    claims = {
        one["metadata"]["name"] for one in objects() if one["kind"] == "PersistentVolumeClaim"
    }
    assert claims == {kubeflow.data_claim, kubeflow.models_claim}
    text = "".join(path.read_text() for path in MANIFESTS)
    assert set(re.findall(r"claimName: (\S+)", text)) <= claims
    page = kubeflow.image.replace("pipeline", "page")
    assert f"image: {page}\n" in text
    for name in re.findall(r"/config/([\w.]+)", text):
        assert (DEPLOY / name).is_file(), name
    selectors = [one["spec"]["selector"] for one in objects() if one["kind"] == "Service"]
    labels = [
        one["spec"]["template"]["metadata"]["labels"]
        for one in objects()
        if one["kind"] == "Deployment"
    ]
    for selector in selectors:
        assert any(selector.items() <= one.items() for one in labels)


def test_the_page_shares_its_calls_among_the_pods():
    """Through a service without an address of its own, so that the name has each pod's."""
    text = (DEPLOY / "kubernetes" / "page.yaml").read_text()
    target = re.search(r'--server, "dns:///([\w-]+):(\d+)"', text)
    (service,) = (
        one
        for one in objects()
        if one["kind"] == "Service" and one["metadata"]["name"] == target[1]
    )
    assert service["spec"]["clusterIP"] == "None"
    assert [port["port"] for port in service["spec"]["ports"]] == [int(target[2])]
    # A pod that is new is found when a connection ends, which it would not by itself.
    server = (DEPLOY / "kubernetes" / "model-server.yaml").read_text()
    assert "--grpc_channel_arguments=grpc.max_connection_age_ms=" in server


def test_compose_binds_to_the_loopback_and_confines_every_service():
    assert set(COMPOSE["services"]) == {"model-server", "page", "tensorboard"}
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        assert service["read_only"] is True
        assert service["user"] == "10001:10001"
        assert service["cap_drop"] == ["ALL"]
        for volume in service.get("volumes", []):
            assert volume.endswith(":ro")
            if volume.startswith("./"):
                assert (DEPLOY / volume.split(":")[0]).is_file(), volume


def test_docker_takes_the_compose_file(tmp_path):
    candidates = (["docker", "compose"], ["docker-compose"])
    for command in candidates:
        try:
            found = subprocess.run([*command, "version"], capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if found.returncode == 0:
            break
    else:
        pytest.skip("neither `docker compose` nor `docker-compose` is installed here")
    done = subprocess.run(
        [*command, "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"],
        env={"ROOT": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
