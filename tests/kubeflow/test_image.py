"""What the image is built from, and, where an engine runs and it is built, the image itself."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

from emotion_pipeline.kubeflow.config import KubeflowConfig

REPOSITORY = pathlib.Path(__file__).parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)


def pins(name):
    return dict(PIN.findall((REPOSITORY / "requirements" / name).read_text()))


def test_the_image_has_the_versions_that_are_tested_and_none_of_the_tests_packages():
    image, tested = pins("image-py310.lock"), pins("py310.lock")
    assert image.items() <= tested.items()
    assert {"tfx", "tensorflow", "kfp"} <= set(image)
    assert not {"pytest", "ruff", "mypy", "hypothesis", "playwright"} & set(image)


def test_the_image_has_what_the_report_tells_the_versions_of():
    from emotion_pipeline.components.versions import DISTRIBUTIONS

    image = pins("image-py310.lock")
    assert {name.replace("_", "-") for name in DISTRIBUTIONS} <= set(image)


def test_the_base_is_pinned_and_public_and_nothing_is_fetched_past_the_lock():
    (base,) = re.findall(r"^ARG BASE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.10\.\d+-slim-\w+", base)
    assert re.findall(r"https?://\S+", DOCKERFILE) == []
    assert "--require-hashes" in DOCKERFILE
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    # Of the building stage only two folders are taken over.
    assert re.findall(r"^COPY --from=build (\S+) ", DOCKERFILE, re.MULTILINE) == [
        "/opt/venv", "/opt/emotion",
    ]  # fmt: skip


def test_only_what_is_built_from_goes_to_the_builder():
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = set(re.findall(r"^COPY ((?!--)[^\n]+) \S+$", DOCKERFILE, re.MULTILINE))
    assert allowed == {name for names in copied for name in names.split()}


@pytest.fixture
def image():
    """The image's tag; skipped where there is no engine, or no image."""
    if shutil.which("docker") is None:
        pytest.skip("needs a Docker Engine; there is no docker command here")
    tag = KubeflowConfig().image
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("needs a Docker Engine; none answers here (or under DOCKER_HOST)")
    if subprocess.run(["docker", "image", "inspect", tag], capture_output=True).returncode:
        pytest.skip(f"needs the image {tag}; benchmarks/scale/container_image.py builds it")
    return tag


def test_the_image_runs_confined_as_a_user_other_than_root(image):
    arguments = ["run", "--rm", "--read-only", "--network", "none", "--cap-drop", "ALL"]
    uid = subprocess.run(
        ["docker", *arguments, "--entrypoint", "id", image, "-u"], capture_output=True, check=True
    )
    assert uid.stdout.strip() == b"10001"
    done = subprocess.run(
        ["docker", *arguments, image, "kubeflow", "compile", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--pipeline-root" in done.stdout
    (inspected,) = json.loads(
        subprocess.run(
            ["docker", "image", "inspect", image], capture_output=True, check=True
        ).stdout
    )
    assert inspected["Config"]["User"] == "10001:10001"
