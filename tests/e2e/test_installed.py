"""Installed from the wheels, in a folder whose files bear the names of this repository's folders."""

import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from tests.e2e.conftest import TIMEOUT_SECS, free_ports, install_wheels, run_process

pytestmark = pytest.mark.slow

SHADOWS = ("pipeline.py", "components/__init__.py", "serving/__init__.py")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> pathlib.Path:
    """The `bin` of an environment that has the wheels, and beside it what it needs, as here."""
    return install_wheels(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def mine(tmp_path) -> pathlib.Path:
    """A user's folder; what is in it ends whoever imports it."""
    folder = tmp_path / "mine"
    for name in SHADOWS:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("raise SystemExit('a file of the user was imported')\n")
    return folder


def call(command: list, folder: pathlib.Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = run_process(command, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_only_names_of_the_projects_own_are_installed(installed):
    (packages,) = installed.parent.glob("lib/python3*/site-packages")
    names = {path.name for path in packages.iterdir()}
    assert names >= {"emotion_pipeline", "emotion_faces"}
    assert not names & {"pipeline", "components", "serving"}


def test_the_library_is_that_of_the_wheel(installed, mine):
    code = """
import emotion_faces.client, emotion_pipeline.components.errors, emotion_pipeline.configs
for module in (emotion_faces.client, emotion_pipeline.components.errors, emotion_pipeline.configs):
    print(module.__file__)
"""
    files = call([installed / "python", "-c", code], mine).split()
    assert len(files) == 3
    assert all(pathlib.Path(file).is_relative_to(installed.parent) for file in files)


def test_beam_works_in_several_processes(installed, mine, drawn, tmp_path):
    found = tmp_path / "found.json"
    workers = "[--direct_running_mode=multi_processing, --direct_num_workers=2]"
    call(
        [
            *(installed / "emotion", "validate", drawn, "--root", tmp_path / "root"),
            *("--json", found, "--set", f"beam.args={workers}"),
        ],
        mine,
    )
    # 300 pictures came through the workers into the Examples, and from there into the statistics.
    told = json.loads(found.read_text())
    assert told["status"] == "clean"
    assert {"ImageExampleGen", "StatisticsGen"} <= {one["id"] for one in told["components"]}
    assert (
        len(list((tmp_path / "root").glob("artifacts/StatisticsGen/statistics/*/Split-*/*"))) == 2
    )


def test_the_command_the_server_and_the_client_work(installed, mine, drawn, tmp_path):
    assert call([installed / "emotion", "--version"], mine).startswith("emotion ")
    port, rest_port = free_ports(2)
    with open(tmp_path / "server.log", "wb") as log:
        server = subprocess.Popen(
            [
                *(installed / "emotion", "serve", "--engine", "embedded"),
                *("--port", str(port), "--rest-port", str(rest_port)),
            ],
            cwd=mine,
            # The model that comes along is unpacked by the installed package, in a process of its own.
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
            stdout=log,
            stderr=log,
        )
    try:
        code = (
            "import sys; from emotion_faces.client import EmotionClient\n"
            "with EmotionClient(sys.argv[1]) as client: client.wait_until_ready(400)"
        )
        call([installed / "python", "-c", code, f"127.0.0.1:{port}"], mine)
        face = next(drawn.rglob("happy/*.jpg"))
        asked = ["predict", face, "--server", f"127.0.0.1:{port}", "--json"]
        (answer,) = json.loads(call([installed / "emotion", *asked], mine))
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    finally:
        server.terminate()
        server.wait(60)
        print((tmp_path / "server.log").read_text()[-3000:])


@pytest.fixture
def light(installed, tmp_path) -> pathlib.Path:
    """The `bin` of an environment with `emotion-faces` and what it asks for, and nothing of TensorFlow."""
    venv = tmp_path / "light"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=TIMEOUT_SECS)
    (wheel,) = installed.parents[1].glob("emotion_faces-*.whl")
    python = venv / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, wheel], check=True, timeout=TIMEOUT_SECS)
    (packages,) = venv.glob("lib/python3*/site-packages")
    for distribution in _needed("emotion-faces"):
        for file in distribution.files or ():
            top = file.parts[0]
            link = packages / top
            if top not in ("..", "__pycache__") and not link.exists():
                link.symlink_to(distribution.locate_file(top))
    return venv / "bin"


def _needed(name: str) -> list[importlib.metadata.Distribution]:
    """Returns the distributions that one of the environment here needs, without its extras."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [Requirement(name)]
    while waiting:
        requirement = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name in found:
            continue
        distribution = importlib.metadata.distribution(requirement.name)
        found[requirement.name] = distribution
        waiting += [Requirement(text) for text in distribution.requires or ()]
    del found[name]
    return list(found.values())


def test_the_light_part_answers_alone(light, mine, drawn):
    code = "import importlib.util as u; print([n for n in {!r} if u.find_spec(n)])"
    heavy = ("tensorflow", "tensorflow_serving", "tfx", "emotion_pipeline")
    assert call([light / "python", "-c", code.format(heavy)], mine) == "[]\n"
    assert call([light / "emotion", "--version"], mine).startswith("emotion ")
    face = next(drawn.rglob("happy/*.jpg"))
    (answer,) = json.loads(call([light / "emotion", "predict", face, "--json"], mine))
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    told = call([light / "emotion", "annotate", face, "--out", mine / "marked"], mine)
    assert "in 1 picture and" in told
    code = "from emotion_faces.client import EmotionClient; EmotionClient('127.0.0.1:1').close()"
    call([light / "python", "-c", code], mine)
    for command, said in (
        (["run", "--data", "sample"], "is in the distribution emotion-pipeline"),
        (["serve"], "emotion-faces[serve]"),
    ):
        refused = subprocess.run(
            [light / "emotion", *command], cwd=mine, capture_output=True, text=True, check=False
        )
        assert refused.returncode in (1, 2)
        assert said in refused.stderr


def test_without_the_whole_the_light_part_goes_on(installed, mine, drawn):
    remove = [installed / "python", "-m", "pip", "uninstall", "--quiet", "--yes"]
    call([*remove, "emotion-pipeline"], mine)
    face = next(drawn.rglob("happy/*.jpg"))
    assert "happy" in call([installed / "emotion", "predict", face, "--json"], mine)
