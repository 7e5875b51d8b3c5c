"""TensorFlow Serving itself: its binary where there is one, else the command of its container."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from typing import Any

from emotion_faces.model_server import flags

BINARY = "tensorflow_model_server"
CONTAINER_IMAGE = "tensorflow/serving:2.16.1"
"""The release that matches the TensorFlow that models are exported with."""

_CONTAINER_MODELS_DIR = "/models"
_CONTAINER_PORT, _CONTAINER_REST_PORT = 8500, 8501


def find_binary() -> str | None:
    """The path of tensorflow_model_server; None where it is not on PATH."""
    return shutil.which(BINARY)


def binary_command(binary: str, values: dict[str, Any], extra: Sequence[str] = ()) -> list[str]:
    """The command that serves with the binary.

    Args:
      values: flags by name, as of the embedded server; `host` is left out, as the binary has none
        and listens on every address.
      extra: further flags, as the user gave them.
    """
    shared = {name: value for name, value in values.items() if name != "host"}
    return [binary, *flags.to_arguments(shared), *extra]


def container_command(values: dict[str, Any], extra: Sequence[str] = ()) -> str:
    """The shell command that serves with TensorFlow Serving's container, on the same ports.

    Files that `extra` names must be mounted as well; the command does so for `--..._file=PATH`.
    """
    name, host = values["model_name"], values["host"]
    mounts = [f"{values['model_base_path']}:{_CONTAINER_MODELS_DIR}/{name}:ro"]
    inner = []
    for flag in extra:
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
    return shlex.join([*command, "-e", f"MODEL_NAME={name}", CONTAINER_IMAGE, *inner])
