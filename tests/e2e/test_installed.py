"""Installed from the wheel, in a folder whose files bear the names of this repository's folders."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import pytest

from tests.e2e.conftest import REPOSITORY, TIMEOUT_SECS, free_ports

pytestmark = pytest.mark.slow

SHADOWS = ("pipeline.py", "components/__init__.py", "serving/__init__.py")
BUILT_FROM = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "NOTICE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> pathlib.Path:
    """The `bin` of an environment that has the wheel, and beside it what it needs, as here."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    source.mkdir()
    # Not in the repository itself: setuptools leaves its work beside what it builds.
    for name in BUILT_FROM:
        shutil.copy(REPOSITORY / name, source)
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("pipeline", "components", "serving", "src"):
        shutil.copytree(REPOSITORY / name, source / name, symlinks=True, ignore=leave)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", folder, source], check=True, timeout=TIMEOUT_SECS)
    (wheel,) = folder.glob("*.whl")
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=TIMEOUT_SECS)
    python = venv / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, timeout=TIMEOUT_SECS)
    (packages,) = venv.glob("lib/python3*/site-packages")
    # A path that is named so is not looked through for .pth files, so that what is installed for
    # development there stays out of the way.
    (packages / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv / "bin"


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
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_SECS,
        check=False,
    )
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
