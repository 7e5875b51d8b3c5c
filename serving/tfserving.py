"""TensorFlow Serving itself: its binary where there is one, else the command of its container."""

from __future__ import annotations

import importlib.metadata
import pathlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from google.protobuf import message

from emotion_faces.model_server import flags
from emotion_faces.protos import saved_model_pb2

BINARY = "tensorflow_model_server"
GRPC_MAX_THREADS = 128
"""Its default is 4 x CPUs: on two, eight callers at once get RESOURCE_EXHAUSTED."""

RELEASES = {"2.16": "2.16.1", "2.21": "2.21.0"}
"""TensorFlow Serving's release for the models that each of the project's TensorFlows exports."""

_IMAGE = "tensorflow/serving"

_CONTAINER_MODELS_DIR = "/models"
_CONTAINER_PORT, _CONTAINER_REST_PORT = 8500, 8501


def find_binary() -> str | None:
    """The path of tensorflow_model_server; None where it is not on PATH."""
    return shutil.which(BINARY)


def binary_command(binary: str, values: dict[str, Any], extra: Sequence[str] = ()) -> list[str]:
    """The command that serves with the binary; `extra` may set --grpc_max_threads itself.

    Args:
      values: Flags by name, as of the embedded server; `host` is left out, as the binary has none
        and listens on every address.
      extra: Further flags, as the user gave them.
    """
    shared = {name: value for name, value in values.items() if name != "host"}
    return [binary, *flags.to_arguments(shared), *_threads(extra), *extra]


def release(version_dir: pathlib.Path | None) -> str:
    """The release of TensorFlow Serving for a model: that of the TensorFlow that exported it.

    Args:
      version_dir: A SavedModel; None, or one that does not say: this installation's TensorFlow.
    """
    exported = version_dir and exporting_tensorflow(version_dir)
    return RELEASES.get(
        _minor(exported or ""), RELEASES[_minor(importlib.metadata.version("tensorflow"))]
    )


def exporting_tensorflow(version_dir: pathlib.Path) -> str | None:
    """The version of TensorFlow that wrote a SavedModel; None where it can't be read."""
    try:
        saved_model = saved_model_pb2.SavedModel.FromString(
            (version_dir / "saved_model.pb").read_bytes()
        )
    except (OSError, message.DecodeError):
        return None
    versions = [graph.meta_info_def.tensorflow_version for graph in saved_model.meta_graphs]
    return next(filter(None, versions), None)


def check_binary(binary: str, version_dir: pathlib.Path | None) -> str | None:
    """What to warn of: a binary that is older than the TensorFlow that exported the model."""
    exported = version_dir and exporting_tensorflow(version_dir)
    printed = subprocess.run(
        [binary, "--version"], capture_output=True, text=True, check=False, timeout=60
    ).stdout
    found = re.search(r"(\d+)\.(\d+)\.\d+", printed)
    if not exported or found is None:
        return None
    if (int(found[1]), int(found[2])) >= tuple(map(int, _minor(exported).split("."))):
        return None
    return (
        f"{binary} is of release {found[0]}, and TensorFlow {exported} exported the model in "
        f"{version_dir}: an older runtime may not know its operations; use the release "
        f"{release(version_dir)}, or --engine embedded"
    )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _threads(extra: Sequence[str]) -> list[str]:
    if any(flag.startswith("--grpc_max_threads=") for flag in extra):
        return []
    return [f"--grpc_max_threads={GRPC_MAX_THREADS}"]


def container_command(
    values: dict[str, Any], extra: Sequence[str] = (), version_dir: pathlib.Path | None = None
) -> str:
    """The shell command that serves with TensorFlow Serving's container, on the same ports.

    Its release is the one of the TensorFlow that exported the model in `version_dir`.
    Files that `extra` names must be mounted as well; the command does so for `--..._file=PATH`.
    """
    name, host = values["model_name"], values["host"]
    mounts = [f"{values['model_base_path']}:{_CONTAINER_MODELS_DIR}/{name}:ro"]
    inner = []
    for flag in [*_threads(extra), *extra]:
        key, has_value, path = flag.partition("=")
        if has_value and key.endswith("_file"):
            mounted = f"/config/{path.rpartition('/')[2]}"
            mounts.append(f"{path}:{mounted}:ro")
            flag = f"{key}={mounted}"
        inner.append(flag)
    ports = [f"{host}:{values['port']}:{_CONTAINER_PORT}"]
    if values["rest_api_port"]:
        ports.append(f"{host}:{values['rest_api_port']}:{_CONTAINER_REST_PORT}")
    command = ["docker", "run", "--rm"]
    for port in ports:
        command += ["-p", port]
    for mount in mounts:
        command += ["-v", mount]
    image = f"{_IMAGE}:{release(version_dir)}"
    return shlex.join([*command, "-e", f"MODEL_NAME={name}", image, *inner])
