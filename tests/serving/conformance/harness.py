"""Starts, or connects to, the server under test and calls it over real sockets.

SERVING_COMMAND replaces the launch command (default: the embedded server), for example
`SERVING_COMMAND=tensorflow_model_server`. SERVING_TARGET=host:grpc_port,rest_port names a server
that already serves the fixture models; cases that must start a server of their own are then
skipped unless SERVING_COMMAND is given too. SERVING_MEMORY_LIMIT_GB bounds the address space of a
server that the suite starts, so that a request that fills the memory ends the server alone.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import resource
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import grpc
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

ROOT = pathlib.Path(__file__).resolve().parents[3]
START_TIMEOUT_SECS = 180  # TensorFlow alone takes a minute to import on busy cores
State = get_model_status_pb2.ModelVersionStatus.State


def launch_command() -> list[str]:
    """Returns the command that starts the server under test, without flags."""
    command = os.environ.get("SERVING_COMMAND")
    return shlex.split(command) if command else [sys.executable, "-m", "emotion_faces.model_server"]


def is_foreign() -> bool:
    """Tells whether the server under test is somebody else's: TensorFlow Serving, as a rule."""
    return "SERVING_COMMAND" in os.environ or "SERVING_TARGET" in os.environ


def free_port() -> int:
    """Returns a port of the loopback interface that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_open(port: int, host: str = "127.0.0.1") -> bool:
    """Tells whether something accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


@dataclasses.dataclass(frozen=True)
class Answer:
    """An HTTP answer: status code, headers (case-insensitive) and body."""

    code: int
    headers: object
    body: bytes

    def json(self):
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The text of a JSON error body."""
        return self.json()["error"]


@dataclasses.dataclass
class Server:
    """A server under test; `process` and `log` are None where it was started by somebody else."""

    host: str
    grpc_port: int
    rest_port: int
    process: subprocess.Popen | None = None
    log: pathlib.Path | None = None

    def __post_init__(self):
        self.channel = insecure_channel(f"{self.host}:{self.grpc_port}")
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, request, timeout: float = 30):
        return self.predictions.Predict(request, timeout=timeout)

    def rest(self, path: str, body=None, *, method=None, headers=None, timeout=30) -> Answer:
        """Sends one HTTP request; a body that is not bytes is sent as JSON, and means POST."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://{self.host}:{self.rest_port}{path}",
            data=body,
            method=method,
            headers=headers or {},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def status(self, model: str) -> dict[int, get_model_status_pb2.ModelVersionStatus]:
        """Returns the state of each version of the model; empty if the server knows none."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = model
        try:
            answer = self.models.GetModelStatus(request, timeout=10)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
            return {}
        return {status.version: status for status in answer.model_version_status}

    def wait_for(self, model: str, version: int, state: str, timeout: float = 15):
        """Waits until the version is in the state ('AVAILABLE', ...); returns its status."""
        deadline = time.monotonic() + timeout
        while True:
            versions = self.status(model)
            if version in versions and versions[version].state == State.Value(state):
                return versions[version]
            assert time.monotonic() < deadline, (
                f"version {version} of {model} not {state} after {timeout} s: {versions}"
            )
            time.sleep(0.03)

    def reload(self, *configs, timeout: float = 30):
        """Replaces the served models by `configs` (ModelConfig protos)."""
        request = model_management_pb2.ReloadConfigRequest()
        request.config.model_config_list.config.extend(configs)
        return self.models.HandleReloadConfigRequest(request, timeout=timeout)

    def output(self) -> str:
        """Returns what the process has printed so far."""
        return self.log.read_text(errors="replace")

    def wait_for_output(self, text: str, timeout: float = 90) -> str:
        """Waits until the process has printed `text` (any case); returns all it printed."""
        deadline = time.monotonic() + timeout
        while text.lower() not in self.output().lower():
            assert time.monotonic() < deadline, f"{text!r} not printed: {self.output()[-3000:]}"
            time.sleep(0.05)
        return self.output()

    def stop(self) -> int:
        """Ends the process with SIGTERM; returns its exit status."""
        self.channel.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def insecure_channel(target: str) -> grpc.Channel:
    """Returns a channel that takes answers of any size and reconnects at once."""
    return grpc.insecure_channel(
        target,
        options=[
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.use_local_subchannel_pool", 1),
        ],
    )


def server_environment() -> dict[str, str]:
    """Returns this process's environment without what its own TensorFlow was told.

    With TF_CPP_MIN_LOG_LEVEL, a server would not print the lines that cases wait for.
    """
    own = {"TF_CPP_MIN_LOG_LEVEL", "TF_USE_LEGACY_KERAS"}
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def _limit_memory() -> None:
    limit = int(float(os.environ["SERVING_MEMORY_LIMIT_GB"]) * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def spawn(log: pathlib.Path, *flags: str, rest: bool = True, port: bool = True) -> Server:
    """Starts the server with the flags, ports added, and returns without waiting for it."""
    grpc_port, rest_port = free_port() if port else 8500, free_port()
    command = [*launch_command(), *([f"--port={grpc_port}"] if port else [])]
    command += [f"--rest_api_port={rest_port}"] if rest else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *flags],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=server_environment(),
            preexec_fn=_limit_memory if "SERVING_MEMORY_LIMIT_GB" in os.environ else None,
        )
    return Server("127.0.0.1", grpc_port, rest_port, process, log)


def wait_until_open(server: Server, timeout: float = START_TIMEOUT_SECS) -> Server:
    """Waits until the gRPC port accepts connections, which TF Serving opens once models serve."""
    deadline = time.monotonic() + timeout
    while not is_open(server.grpc_port):
        assert server.process.poll() is None, (
            f"the server ended with {server.process.returncode}: {server.output()[-3000:]}"
        )
        assert time.monotonic() < deadline, f"no open port: {server.output()[-3000:]}"
        time.sleep(0.05)
    return server


@contextlib.contextmanager
def running(log: pathlib.Path, *flags: str, **kwargs):
    """Runs a server for the length of a `with` block."""
    server = spawn(log, *flags, **kwargs)
    try:
        yield wait_until_open(server)
    finally:
        server.stop()


def run_to_exit(
    log: pathlib.Path, *flags: str, timeout: float = START_TIMEOUT_SECS
) -> tuple[int, str]:
    """Runs a server that should refuse to start; returns its exit status and what it printed."""
    server = spawn(log, *flags)
    try:
        code = server.process.wait(timeout=timeout)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
        raise AssertionError(f"still running after {timeout} s: {server.output()}") from None
    finally:
        server.channel.close()
    return code, server.output()


def rpc_error(call, request, timeout: float = 30) -> tuple[str, str]:
    """Calls and returns (code name, details) of the error that must follow."""
    try:
        answer = call(request, timeout=timeout)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    # Its size and not its text: of an answer of 1 GB the text took 17.
    raise AssertionError(f"expected an error, got {type(answer).__name__} of {_size(answer)} bytes")


def _size(answer) -> int:
    return len(answer) if isinstance(answer, bytes) else answer.ByteSize()
