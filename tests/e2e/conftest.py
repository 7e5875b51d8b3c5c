"""Runs the `emotion` command as its users do."""

import dataclasses
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence

import pytest

from emotion_pipeline.components.sources.sample_data import draw_sample
from tests import forks

REPOSITORY = pathlib.Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "emotion_pipeline.cli"]
TIMEOUT_SECS = 600

BUILT_FROM = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "NOTICE")

# One short epoch: these runs show the plumbing, and not what the network can learn.
SHORT = ["--epochs", "1", "--set", "thresholds.accuracy=0", "--set", "thresholds.macro_f1=0"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    status: int
    output: str
    summary: dict


def run_process(command: Sequence[object], **options) -> subprocess.CompletedProcess:
    """Runs a command to its end as a process of its own; the options are `subprocess.run`'s."""
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECS,
        stdin=subprocess.DEVNULL,
        check=False,
        **options,
    )


def emotion(
    *arguments: object, forked: bool = True, file_bytes: int | None = None
) -> subprocess.CompletedProcess:
    """Runs a command to its end, as a fork or as a process of its own.

    Args:
      *arguments: What follows `emotion`.
      forked: Whether it is a fork.
      file_bytes: How large a file of a fork may become; None for any size.
    """
    command = [*COMMAND, *map(str, arguments)]
    if not forked:
        return run_process(command, cwd=REPOSITORY)
    with tempfile.TemporaryDirectory() as folder:
        stdout, stderr = pathlib.Path(folder, "stdout"), pathlib.Path(folder, "stderr")
        process = forks.start(command, REPOSITORY, os.environ, stdout, stderr)
        if file_bytes is not None:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        process.join(TIMEOUT_SECS)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(command, TIMEOUT_SECS, stdout.read_bytes())
        return subprocess.CompletedProcess(
            command, process.exitcode, stdout.read_text(), stderr.read_text()
        )


def run_pipeline(
    root: pathlib.Path, data: object, *arguments: object, forked: bool = True
) -> Outcome:
    """Runs `emotion run` and reads its summary."""
    done = emotion("run", "--data", data, "--root", root, *arguments, forked=forked)
    path = root / "summary.json"
    summary = json.loads(path.read_text()) if path.exists() else {}
    return Outcome(done.returncode, done.stdout + done.stderr, summary)


def kill_when(root: pathlib.Path, data: object, line: str, *arguments: object) -> None:
    """Starts `emotion run` and kills it, with no chance to clean up, when it prints the line."""
    command = [*COMMAND, "run", "--data", str(data), "--root", str(root), *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        printed = pathlib.Path(folder, "printed")
        printed.touch()
        process = forks.start(command, REPOSITORY, os.environ, printed)
        while process.is_alive() and line not in printed.read_text():
            time.sleep(0.05)
        # A moment, so that the component is at work and not at its first line.
        time.sleep(0.3)
        process.kill()
        process.join(TIMEOUT_SECS)
        assert process.exitcode == -signal.SIGKILL, f"never printed {line!r}"


def free_ports(count: int) -> list[int]:
    """Returns ports of loopback that nobody listens at now."""
    ports = []
    for _ in range(count):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            ports.append(listener.getsockname()[1])
    return ports


def install_wheels(folder: pathlib.Path) -> pathlib.Path:
    """Builds both wheels and installs them into an environment of their own.

    What they need comes from this environment; the project itself does not, since files that name further
    folders are read in an environment's own folder only.

    Args:
      folder: An empty one, for wheels, sources and environment.

    Returns:
      The environment's `bin`.
    """
    source = folder / "source"
    source.mkdir()
    # Not in the repository itself: setuptools leaves its work beside what it builds.
    for name in BUILT_FROM:
        shutil.copy(REPOSITORY / name, source)
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for name in ("pipeline", "components", "serving", "src", "emotion-faces"):
        shutil.copytree(REPOSITORY / name, source / name, symlinks=True, ignore=leave)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    built = (source, source / "emotion-faces")
    subprocess.run([*build, "--wheel-dir", folder, *built], check=True, timeout=TIMEOUT_SECS)
    wheels = sorted(folder.glob("*.whl"))
    assert len(wheels) == 2
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=TIMEOUT_SECS)
    python = venv / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", *wheels]
    subprocess.run(install, check=True, timeout=TIMEOUT_SECS)
    (packages,) = venv.glob("lib/python3*/site-packages")
    # A path that is named so is not looked through for .pth files, so that what is installed for
    # development there stays out of the way.
    (packages / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv / "bin"


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A small drawn data set, as the Kaggle archive lays it out."""
    folder = tmp_path_factory.mktemp("drawn") / "data"
    draw_sample(folder, images=300, seed=3)
    return folder


@pytest.fixture
def serve(tmp_path: pathlib.Path) -> Iterator:
    """Starts servers with `emotion serve` and returns their gRPC addresses."""
    servers = []

    def start(model_dir: pathlib.Path) -> str:
        ports = free_ports(2)
        with open(tmp_path / "server.log", "wb") as log:
            servers.append(
                subprocess.Popen(
                    [
                        *(*COMMAND, "serve", "--model-dir", str(model_dir)),
                        *("--engine", "embedded"),
                        *("--port", str(ports[0]), "--rest-port", str(ports[1])),
                    ],
                    cwd=REPOSITORY,
                    stdout=log,
                    stderr=log,
                )
            )
        return f"127.0.0.1:{ports[0]}"

    yield start
    for server in servers:
        server.terminate()
        server.wait(60)


@pytest.fixture(scope="session")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A few dozen images a class of FER2013; the test is skipped where the archive is not there."""
    layout = pathlib.Path(
        os.environ.get("FER_LAYOUT", REPOSITORY.parent / "shared" / "data" / "kaggle_layout.py")
    )
    if not layout.exists():
        if "FER_LAYOUT" in os.environ:
            pytest.fail(f"FER_LAYOUT={layout}: no such file")
        pytest.skip(f"the real data set is not here: {layout} (or FER_LAYOUT) does not exist")
    folder = tmp_path_factory.mktemp("real") / "data"
    subprocess.run(
        [sys.executable, str(layout), str(folder), "--per-class", "36", "--redundant"],
        check=True,
        capture_output=True,
    )
    return folder
