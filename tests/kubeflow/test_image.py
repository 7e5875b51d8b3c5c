"""What the image is built from, and, where an engine runs and it is built, the image itself."""

import ast
import importlib.util
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import sysconfig

import pytest

from benchmarks.serving import hostile_images
from emotion_faces.client import EmotionClient
from emotion_pipeline.kubeflow.config import KubeflowConfig
from tests.serving import models

REPOSITORY = pathlib.Path(__file__).parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
IMAGE_DIR = REPOSITORY / "requirements" / "image"
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)


# Serves a model in an interpreter that finds no package but those that are named, and of TensorFlow what is left of it.
SERVE_WITH = """
import importlib.abc, importlib.machinery, importlib.metadata, pathlib, sys, sysconfig
sys.path.insert(0, sys.argv[3])
import reachable

def plain(name):
    return name.lower().replace("_", "-").replace(".", "-")

OWNERS = importlib.metadata.packages_distributions()
LEFT = reachable.reachable(pathlib.Path(sysconfig.get_path("purelib")))

class OnlyNamed(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        owners = {plain(owner) for owner in OWNERS.get(name, ())}
        if owners and not owners & set(sys.argv[2].split()):
            raise ModuleNotFoundError(f"No module named {name!r}: its distribution is not in the image", name=name)
        if name.startswith("tensorflow."):
            spec = importlib.machinery.PathFinder.find_spec(name, path)
            if spec and spec.origin and pathlib.Path(spec.origin) not in LEFT:
                raise ModuleNotFoundError(f"No module named {name!r}: it is not left in the image", name=name)

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
        [sys.executable, "-c", SERVE_WITH, tmp_path, " ".join(names), IMAGE_DIR],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        told = re.match(r"serving emotion: gRPC on (\S+) ", server.stdout.readline())
        assert told, "the server ended; its standard error says why"
        with EmotionClient(told[1]) as client:
            (answer,) = client.predict([hostile_images.jpeg()])
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    assert answer.label in models.LABELS


@pytest.fixture(scope="module")
def reaching():
    """The program that leaves of TensorFlow what the server may import."""
    spec = importlib.util.spec_from_file_location("reachable", IMAGE_DIR / "reachable.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_of_tensorflow_is_left_what_an_import_reaches(reaching, tmp_path):
    sources = {
        "tensorflow/__init__.py": "from tensorflow._api import v2",
        "tensorflow/libtensorflow_cc.so.2": "",
        "tensorflow/_api/__init__.py": "",
        "tensorflow/core/__init__.py": "",
        "tensorflow/core/any_pb2.py": "",
        "tensorflow/lite/__init__.py": "",
        "tensorflow/lite/libtflite.so": "",
        "tensorflow/python/__init__.py": "",
        "tensorflow/python/_pywrap_used.so": "",
        "tensorflow/python/_pywrap_unused.so": "",
        "tensorflow/python/lib_common.so": "",
        "tensorflow/python/client/__init__.py": "import tensorflow.python.client.by_init",
        "tensorflow/python/client/by_init.py": "",
        "tensorflow/python/client/session.py": (
            "from tensorflow.python import _pywrap_used\n"
            "from .. import beside\n"
            "from ..near.deep import *\n"
            "def once():\n    from tensorflow.python.client import late\n"
            "lazy = LazyLoader('lazy', globals(), 'tensorflow.python.lazy')\n"
        ),
        "tensorflow/python/client/late.py": "",
        "tensorflow/python/client/unused.py": "",
        "tensorflow/python/client/__pycache__/late.cpython-313.pyc": "",
        "tensorflow/python/client/__pycache__/unused.cpython-313.pyc": "",
        "tensorflow/python/beside.py": "",
        "tensorflow/python/lazy.py": "",
        "tensorflow/python/near/__init__.py": "",
        "tensorflow/python/near/deep.py": "from tensorflow.python.client import session  # in a circle",
        "tensorflow/python/keras/__init__.py": "",
        "tensorflow/python/keras/engine/layer.py": "",
        "numpy/unused.py": "",
    }  # fmt: skip
    for name, text in sources.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    reaching.leave_only(tmp_path, reaching.reachable(tmp_path))
    left = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()}
    assert sources.keys() - left == {
        "tensorflow/_api/__init__.py",
        "tensorflow/lite/__init__.py",
        "tensorflow/lite/libtflite.so",
        "tensorflow/python/_pywrap_unused.so",
        "tensorflow/python/client/unused.py",
        "tensorflow/python/client/__pycache__/unused.cpython-313.pyc",
        "tensorflow/python/keras/__init__.py",
        "tensorflow/python/keras/engine/layer.py",
    }


def test_what_the_server_imports_of_tensorflow_is_what_is_left_for_it(reaching):
    site_packages = pathlib.Path(sysconfig.get_path("purelib"))
    imported = set()
    for path in (REPOSITORY / "serving").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tensorflow"):
                folder = site_packages.joinpath(*node.module.split("."))
                for alias in node.names:
                    is_module = any(folder.glob(f"{alias.name}.*"))
                    imported.add(f"{node.module}.{alias.name}" if is_module else node.module)
            elif isinstance(node, ast.Import):
                imported |= {one.name for one in node.names if one.name.startswith("tensorflow")}
    packages = ("tensorflow.core", "tensorflow_serving")
    assert set(reaching.SERVER_IMPORTS) - set(packages) == {
        name for name in imported if not name.startswith(packages)
    }
    assert any(name.startswith("tensorflow.core.") for name in imported)
    assert any(name.startswith("tensorflow_serving.") for name in imported)


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
