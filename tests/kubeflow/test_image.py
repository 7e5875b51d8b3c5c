"""What the image is built from, and, where an engine runs and it is built, the image itself."""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

from benchmarks.serving import fuzz
from emotion_faces.client import EmotionClient
from emotion_pipeline.kubeflow.config import KubeflowConfig
from tests.serving import models

REPOSITORY = pathlib.Path(__file__).parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)


# Serves a model in an interpreter that finds no package but those that are named.
SERVE_WITH = """
import importlib.abc, importlib.metadata, sys

def plain(name):
    return name.lower().replace("_", "-").replace(".", "-")

OWNERS = importlib.metadata.packages_distributions()

class OnlyNamed(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        owners = {plain(owner) for owner in OWNERS.get(name, ())}
        if owners and not owners & set(sys.argv[2].split()):
            raise ModuleNotFoundError(f"No module named {name!r}: its distribution is not in the image", name=name)

sys.meta_path.insert(0, OnlyNamed())
from emotion_faces.cli import main
sys.exit(main(["serve", "--engine", "embedded", "--model-dir", sys.argv[1], "--port", "0", "--rest-port", "0"]))
"""


def pins(name):
    return dict(PIN.findall((REPOSITORY / "requirements" / name).read_text()))


STACKS = ("py310", "py311-py313")
IMAGES = ("pipeline", "page", "server")


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("name", [*IMAGES, "build"])
def test_an_image_has_the_versions_that_are_tested_and_none_of_the_tests_packages(name, stack):
    image, tested = pins(f"image/{name}-{stack}.lock"), pins(f"{stack}.lock")
    if "tensorflow-cpu" in image:  # the same release, for processors alone
        image["tensorflow"] = image.pop("tensorflow-cpu")
    assert image.items() <= tested.items()
    assert not {"pytest", "ruff", "mypy", "hypothesis", "playwright"} & set(image)


@pytest.mark.parametrize("stack", STACKS)
def test_each_image_has_what_it_is_for(stack):
    locks = {name: set(pins(f"image/{name}-{stack}.lock")) for name in IMAGES}
    assert {"tfx", "tensorflow", "kfp"} <= locks["pipeline"]
    assert {"onnxruntime", "opencv-python-headless", "av"} <= locks["page"]
    assert {"tensorflow-cpu", "tensorflow-serving-api", "orjson"} <= locks["server"]
    assert not {"tensorflow", "tensorflow-cpu", "tfx"} & locks["page"]
    assert not {"tensorflow", "tfx", "keras", "opencv-python-headless", "av"} & locks["server"]


def test_the_server_answers_with_what_its_image_has(tmp_path):
    models.write_emotion(tmp_path / "1")
    names = {"emotion-faces", "tensorflow", *pins("image/server-py310.lock")}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE_WITH, tmp_path, " ".join(names)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        told = re.match(r"serving emotion: gRPC on (\S+) ", server.stdout.readline())
        assert told, "the server ended; its standard error says why"
        with EmotionClient(told[1]) as client:
            (answer,) = client.predict([fuzz.jpeg()])
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    assert answer.label in models.LABELS


def test_the_image_has_what_the_report_tells_the_versions_of():
    from emotion_pipeline.components.versions import DISTRIBUTIONS

    image = pins("image/pipeline-py310.lock")
    assert {name.replace("_", "-") for name in DISTRIBUTIONS} <= set(image)


def test_the_base_is_pinned_and_public_and_nothing_is_fetched_past_the_lock():
    (base,) = re.findall(r"^ARG BASE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.10\.\d+-slim-\w+", base)
    assert re.findall(r"https?://\S+", DOCKERFILE) == []
    script = (REPOSITORY / "requirements" / "image" / "install.sh").read_text()
    assert re.findall(r"https?://\S+", script) == []
    installed = re.findall(r"pip install (.+?)(?: \\)?$", script + DOCKERFILE, re.MULTILINE)
    ours = [one for one in installed if "--no-build-isolation" in one]
    assert [one.split()[-2:] for one in ours] == [
        ["/opt/faces", "./emotion-faces"],
        [".", "./emotion-faces"],
    ]
    locked = [one for one in installed if one not in ours]
    assert len(locked) == 2
    assert all("--require-hashes --no-deps -r " in one for one in locked)
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    # Of the building stage only two folders are taken over.
    taken = re.findall(r"^COPY --from=(\S+) (\S+) (\S+)$", DOCKERFILE, re.MULTILINE)
    assert taken == [
        (stage, source, target)
        for name, project in (("page", "faces"), ("server", "faces"), ("pipeline", "pipeline"))
        for stage, source, target in (
            (f"packages-{name}", "/opt/venv", "/opt/venv"),
            ("project", f"/opt/{project}", "/opt/emotion"),
        )
    ]


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
