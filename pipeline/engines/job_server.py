"""Beam's Java job server for Flink or Spark: its command line, and one for the length of a run."""

import contextlib
import pathlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

import grpc

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.engines.jars import (
    JOB_SERVER_CLASSES,
    engine_package,
    find_program,
    job_server_jars,
)

START_TIMEOUT_SECS = 40.0

# Beam and Spark look into the JDK's own classes, which Java 17 shuts by default.
OPENED_PACKAGES = (
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.text",
    "java.base/java.time",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/java.util.concurrent.locks",
    "java.base/sun.net.util",
    "java.base/sun.nio.ch",
    "java.base/sun.nio.cs",
    "java.base/sun.security.action",
    "java.base/sun.util.calendar",
)


def opened_packages() -> list[str]:
    """Returns the arguments of `java` that open the JDK's packages."""
    return [f"--add-opens={package}=ALL-UNNAMED" for package in OPENED_PACKAGES]


def job_server_command(
    engine: str, master: str, port: int, artifacts_dir: pathlib.Path, host: str = "127.0.0.1"
) -> list[str]:
    """Returns the command of a job server.

    Args:
      engine: `flink` or `spark`.
      master: The engine's address, as `--flink-master` or `--spark-master` has it.
      port: Where it listens for jobs.
      artifacts_dir: Where it keeps what is staged with a job; our jobs stage nothing.
      host: The address that it listens on, and from which Spark's executors call it back.

    Raises:
      UserError: Java or Maven is missing.
    """
    master_args = {
        "flink": ["--flink-master", master],
        "spark": ["--spark-master-url", master],
    }[engine]
    java = find_program("java", "Beam's job server")
    classpath = f"{job_server_jars(engine)}/*"
    settings: list[str] = []
    if engine == "spark":
        # Beam's job server is the driver, and leaves Spark itself to whoever starts it.
        classpath += f":{engine_package('spark')}/jars/*"
        settings = [
            f"-Dspark.driver.host={host}",
            f"-Dspark.driver.bindAddress={host}",
            f"-Dspark.executor.extraJavaOptions={' '.join(opened_packages())}",
        ]
    return [
        java,
        *("-Xmx1g", *opened_packages(), *settings),
        *("-cp", classpath, JOB_SERVER_CLASSES[engine]),
        *master_args,
        *("--job-host", host, "--job-port", str(port)),
        *("--artifact-port", "0", "--expansion-port", "0"),
        *("--artifacts-dir", str(artifacts_dir)),
    ]


@contextlib.contextmanager
def running_job_server(engine: str, master: str, log: pathlib.Path) -> Iterator[str]:
    """Runs a job server on loopback and yields its `HOST:PORT`.

    Raises:
      UserError: A program is missing, or the server did not come up; its log is named.
    """
    port = free_port()
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="job-server-") as staging, open(log, "ab") as file:
        command = job_server_command(engine, master, port, pathlib.Path(staging))
        server = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
        try:
            endpoint = f"127.0.0.1:{port}"
            deadline = time.monotonic() + START_TIMEOUT_SECS
            while not answers(endpoint, timeout_secs=1.0):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise UserError(f"Beam's job server for {engine} did not come up; see {log}")
            yield endpoint
        finally:
            server.terminate()
            server.wait()


def answers(endpoint: str, timeout_secs: float) -> bool:
    """Returns whether a gRPC server takes connections at `HOST:PORT`."""
    with grpc.insecure_channel(endpoint) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=timeout_secs)
        except grpc.FutureTimeoutError:
            return False
    return True


def free_port() -> int:
    """Returns a port of loopback that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
