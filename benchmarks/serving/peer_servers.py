"""Other servers, each in a virtual environment of its own, and what a server and the machine use meanwhile."""

import contextlib
import importlib.metadata
import os
import pathlib
import subprocess
import sys
import sysconfig
import time

import psutil

from tests.serving.conformance import harness

APPS = pathlib.Path(__file__).resolve().parent / "peers"
PEERS = {
    "litserve": ["litserve"],
    "bentoml": ["bentoml"],
    "kserve": ["kserve"],
    # 1.7 needs protobuf 5 and TensorFlow 2.16 needs 4; 1.6 imports pkg_resources.
    "mlserver": ["mlserver<1.7", "setuptools<81"],
    "mosec": ["mosec"],
    "pytriton": ["nvidia-pytriton"],
}
"""Each peer's packages."""


def make_venv(directory: pathlib.Path, name: str) -> pathlib.Path:
    """Returns the Python of a virtual environment with the peer and this TensorFlow's version."""
    python = directory / name / "bin" / "python"
    if not python.exists():
        version = importlib.metadata.version("tensorflow")
        packages = [*PEERS[name], f"tensorflow-cpu=={version}"]
        uv = pathlib.Path(sys.executable).with_name("uv")
        command = str(uv) if uv.exists() else "uv"
        subprocess.run([command, "venv", "-q", "-p", sys.executable, python.parents[1]], check=True)
        subprocess.run([command, "pip", "install", "-q", "--python", python, *packages], check=True)
    return python


def peer_command(name: str, python: pathlib.Path, model: pathlib.Path, port: int, home):
    """Returns (command, environment, working directory) that serve the model on the port."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": str(APPS)}
    if name == "bentoml":
        environment |= {"MODEL_DIR": str(model), "BENTOML_HOME": str(home)}
        environment |= {"BENTOML_DO_NOT_TRACK": "True"}
        serve = [python.with_name("bentoml"), "serve", "bentoml_app:Emotion"]
        return [*serve, "--host", "127.0.0.1", "--port", str(port)], environment, APPS
    if name == "mosec":
        environment |= {"MODEL_DIR": str(model), "MOSEC_TIMEOUT": "30000"}
        environment |= {"MOSEC_ADDRESS": "127.0.0.1", "MOSEC_PORT": str(port)}
        return [python, APPS / "mosec_app.py"], environment, home
    if name == "pytriton":  # its backend is a program that links to Python's library
        environment |= {"LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR")}
    command = [python, APPS / f"{name}_app.py", str(model), str(port)]
    if name == "mlserver":
        command.append(str(harness.free_port()))  # it opens a gRPC port too
    return command, environment, home


@contextlib.contextmanager
def started(command, environment, directory, port: int, log: pathlib.Path, secs: float = 90):
    """Runs a server in a session of its own until the block ends; waits for its port."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=environment,
            cwd=directory,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + secs
        while not harness.is_open(port):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{command[0]} does not serve on {port}: {tail}")
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        family = [psutil.Process(process.pid)] if process.poll() is None else []
        family += family[0].children(recursive=True) if family else []
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.terminate()
        _, alive = psutil.wait_procs(family, timeout=10)
        for member in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait()


def cpu_secs(*processes: psutil.Process) -> float:
    """Returns the CPU seconds that processes and their children have used."""
    used = 0.0
    for process in processes:
        for member in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = member.cpu_times()
                used += times.user + times.system
    return used


def memory_mib(process: psutil.Process) -> float:
    """Returns the proportional memory of a process and its children."""
    used = 0
    for member in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            used += member.memory_full_info().pss
    return used / (1 << 20)


def machine_secs() -> float:
    """Returns the CPU seconds that everything on this machine has used."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
