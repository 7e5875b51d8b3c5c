"""Long-running processes of a local cluster, known again by process id and time of start."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Mapping

STOP_TIMEOUT_SECS = 20.0
_POLL_SECS = 0.1


@dataclasses.dataclass(frozen=True)
class ServiceSpec:
    """What is to be started.

    Attributes:
      name: Also the name of its log.
      command: Program and arguments.
      environment: Added to this process's.
    """

    name: str
    command: list[str]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Service:
    """A process that was started; `start_ticks` tells it from a later one with the same id."""

    name: str
    pid: int
    start_ticks: int

    def is_running(self) -> bool:
        """Returns whether it still runs."""
        return _start_ticks(self.pid) == self.start_ticks

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends a signal to it and all that it started; nothing happens if it has ended."""
        if self.is_running():
            os.killpg(self.pid, number)


def start(spec: ServiceSpec, log_dir: pathlib.Path) -> Service:
    """Starts a service in a process group of its own; it outlives this process."""
    log_dir.mkdir(parents=True, exist_ok=True)
    with open(log_dir / f"{spec.name}.log", "ab") as log:
        process = subprocess.Popen(
            spec.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **spec.environment},
        )
    return Service(spec.name, process.pid, _start_ticks(process.pid) or 0)


def stop(services: list[Service]) -> None:
    """Ends services: asks them first, and kills what is still there after 20 seconds."""
    for service in services:
        service.kill(signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_SECS
    while any(service.is_running() for service in services) and time.monotonic() < deadline:
        time.sleep(_POLL_SECS)
    for service in services:
        service.kill()


def _start_ticks(pid: int) -> int | None:
    """Returns when a process started, in clock ticks since boot; None if it has ended."""
    try:
        # The name in brackets may hold anything; the fields after it are separated by spaces.
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    state, start_ticks = fields[0], fields[19]
    return None if state == "Z" else int(start_ticks)
