"""Where and how the stand-in starts a task's command: as a process, forked, or as a container of the image."""

import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from tests import forks

_LOCAL_DIRS = {"minio": "minio", "s3": "s3", "gs": "gcs"}


@dataclasses.dataclass(frozen=True)
class Pod:
    """A task's own folder and what Kubernetes adds to its container.

    extras: a KubernetesExecutorConfig message, as JSON has it.
    """

    folder: pathlib.Path
    extras: dict[str, Any]

    @property
    def output_file(self) -> pathlib.Path:
        return self.folder / "outputs" / "output_metadata.json"

    @property
    def log(self) -> pathlib.Path:
        return self.folder / "log"

    def local(self, uri: str) -> pathlib.Path:
        """Returns the launcher's copy of an object: `minio://b/k` is `minio/b/k` in the pod."""
        scheme, key = uri.split("://", 1)
        return self.folder / _LOCAL_DIRS[scheme] / key


class Starter(Protocol):
    """Starts a command for a pod."""

    def output_file(self, pod: Pod) -> str:
        """Returns the output file's path as the command sees it."""
        ...

    def start(self, pod: Pod, container: dict[str, Any], command: list[str]) -> int:
        """Runs a command to its end, its output in the pod's log; returns the exit status."""
        ...


@dataclasses.dataclass(frozen=True)
class Processes:
    """Starts commands as processes of this machine, with this Python's environment.

    Volumes cannot be mounted for a process: compile with paths of this machine.
    """

    secrets: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def output_file(self, pod: Pod) -> str:
        return str(pod.output_file)

    def start(self, pod: Pod, container: dict[str, Any], command: list[str]) -> int:
        pod.output_file.parent.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
            "EMOTION_LAUNCHER_ROOT": str(pod.folder),
            **secret_variables(pod, self.secrets),
        }
        return self._start(pod, command, environment)

    def _start(self, pod: Pod, command: list[str], environment: dict[str, str]) -> int:
        with open(pod.log, "wb") as log:
            return subprocess.run(
                command,
                cwd=pod.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode


@dataclasses.dataclass(frozen=True)
class Forks(Processes):
    """Starts commands as `Processes` does, as forks."""

    def _start(self, pod: Pod, command: list[str], environment: dict[str, str]) -> int:
        process = forks.start(command, pod.folder, environment, pod.log)
        self._wait(process)
        assert process.exitcode is not None
        return process.exitcode

    def _wait(self, process: BaseProcess) -> None:
        process.join()


@dataclasses.dataclass(frozen=True)
class Containers:
    """Starts commands as containers of the image that the package names, with nothing of ours mounted in.

    The root file system is read-only but for /tmp. There is no network, except for a pod that is
    given a secret: such a task fetches.

    docker: the client's command. claims: the folder of this machine behind each claim.
    """

    docker: tuple[str, ...]
    claims: Mapping[str, pathlib.Path]
    secrets: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def output_file(self, pod: Pod) -> str:
        return "/tmp/kfp_outputs/output_metadata.json"

    def start(self, pod: Pod, container: dict[str, Any], command: list[str]) -> int:
        mounts = {pod.output_file.parent: "/tmp/kfp_outputs"}
        for name in _LOCAL_DIRS.values():
            mounts[pod.folder / name] = f"/{name}"
        for folder in mounts:
            folder.mkdir(parents=True, exist_ok=True)
            # The image's user is not this one; in a cluster the launcher runs as the image's user.
            for path in (folder, *folder.rglob("*")):
                path.chmod(0o777)
        for mount in pod.extras.get("pvcMount", []):
            mounts[self.claims[mount["constant"]]] = mount["mountPath"]
        variables = secret_variables(pod, self.secrets)
        limit = container["resources"]["memoryLimit"]
        arguments = [
            *("run", "--rm", "--read-only", "--tmpfs", "/tmp:mode=1777"),
            *("--network", "host" if variables else "none"),
            *("--memory", f"{int(limit * 1e9)}b", "--cap-drop", "ALL"),
            *(f"--volume={folder.resolve()}:{path}" for folder, path in mounts.items()),
            *(f"--env={name}={value}" for name, value in variables.items()),
            *("--entrypoint", command[0], container["image"], *command[1:]),
        ]
        with open(pod.log, "wb") as log:
            return subprocess.run(
                [*self.docker, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode


def secret_variables(pod: Pod, secrets: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Returns the environment variables that a pod takes from secrets."""
    return {
        pair["envVar"]: secrets[secret["secretName"]][pair["secretKey"]]
        for secret in pod.extras.get("secretAsEnv", [])
        for pair in secret["keyToEnv"]
    }
