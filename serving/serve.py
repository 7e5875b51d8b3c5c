"""Serving a push folder with either server: what `emotion serve` does."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from emotion_faces import tfserving
from emotion_faces.client import DEFAULT_MODEL_NAME
from emotion_faces.errors import UsageError, UserError
from emotion_faces.model_server import flags, ports, source
from emotion_faces.stderr_log import stderr_to

ENGINES = ("auto", "embedded", "tfserving")
EVERY_ADDRESS = ("0.0.0.0", "::")
"""What TensorFlow Serving binds, which has no flag for it."""

REST_FLAG = "--rest-port"
"""The flag of `emotion serve`; the server's own is --rest_api_port."""


@dataclasses.dataclass(frozen=True)
class ServeSettings:
    """What to serve and where.

    Attributes:
      model_dir: Folder that holds the numbered version folders.
      rest_port: 0 for no REST.
      flags: Further flags of tensorflow_model_server, as `--flag=value`, for either engine.
      log_file: Takes what the embedded server and TensorFlow write to stderr; None: stderr.
    """

    model_dir: pathlib.Path
    model_name: str = DEFAULT_MODEL_NAME
    host: str = "127.0.0.1"
    port: int = 8500
    rest_port: int = 8501
    flags: tuple[str, ...] = ()
    log_file: pathlib.Path | None = None

    def flag_values(self) -> dict[str, Any]:
        """The settings by flag name."""
        return {
            "model_name": self.model_name,
            "model_base_path": str(self.model_dir.resolve()),
            "host": self.host,
            "port": self.port,
            "rest_api_port": self.rest_port,
        }


def serve(settings: ServeSettings, engine: str = "auto") -> int:
    """Serves until SIGTERM or SIGINT; returns the exit status.

    Args:
      engine: 'tfserving': the real binary, or its container's command printed where it is not on
        PATH; 'embedded': this project's server; 'auto': the binary where it is on PATH, else ours.

    Raises:
      UserError: There is no such engine or folder, or the server can't start, or can't keep to
        `host`.
    """
    if engine not in ENGINES:
        raise UserError(f"there is no engine {engine!r}; choose one of {', '.join(ENGINES)}")
    if not settings.model_dir.is_dir():
        raise UserError(
            f"there is no folder {settings.model_dir}; give the folder that `emotion run` pushed to"
        )
    ports.check("--port", settings.port)
    ports.check(REST_FLAG, settings.rest_port)
    if settings.port == settings.rest_port != 0:
        raise UsageError(
            f"--port and {REST_FLAG} are both {settings.port}; give each its own, or {REST_FLAG} 0"
        )
    binary = tfserving.find_binary()
    values = settings.flag_values()
    if binary is not None and engine == "auto" and settings.host not in EVERY_ADDRESS:
        print(
            f"serving with this project's server: {binary} is here too, and listens on every "
            f"address where {settings.host} alone was asked for (--engine tfserving --host 0.0.0.0 "
            "takes it all the same)",
            flush=True,
        )
        binary = None
    if binary is not None and engine != "embedded":
        if settings.host not in EVERY_ADDRESS:
            raise UserError(
                f"{binary} listens on every address of this machine, and --host {settings.host} "
                "can't be kept: give --host 0.0.0.0, or --engine embedded"
            )
        if warning := tfserving.check_binary(binary, _newest(settings)):
            print(f"warning: {warning}", flush=True)
        return _run_binary(tfserving.binary_command(binary, values, settings.flags))
    if engine == "tfserving":
        print(f"{tfserving.BINARY} is not on PATH; its container serves the same with:\n")
        print(tfserving.container_command(values, settings.flags, _newest(settings)))
        return 0
    return _run_embedded(settings, values)


def _newest(settings: ServeSettings) -> pathlib.Path | None:
    found = source.list_versions(str(settings.model_dir))
    return pathlib.Path(found[max(found)]) if found else None


def _run_binary(command: Sequence[str]) -> int:
    print(f"serving with {command[0]}, on every address of this machine", flush=True)
    os.execv(command[0], list(command))  # the binary gets the signals meant for it


def _run_embedded(settings: ServeSettings, values: dict[str, Any]) -> int:
    options, warnings = flags.parse([*flags.to_arguments(values), *settings.flags])
    flags.report(warnings)
    if not source.list_versions(values["model_base_path"]):
        print(f"{settings.model_dir} holds no version yet; waiting for one", flush=True)
    with stderr_to(settings.log_file):
        return _run_server(settings, options)


def _run_server(settings: ServeSettings, options: flags.Options) -> int:
    flags.set_up_logging()
    from emotion_faces.model_server import server

    def announce(running: server.ModelServer) -> None:
        rest = f", REST on {settings.host}:{running.rest_port}" if running.rest_port else ""
        print(
            f"serving {settings.model_name}: gRPC on {settings.host}:{running.port}{rest} "
            "(Ctrl-C ends it)",
            flush=True,
        )

    return server.run(options, announce, REST_FLAG)
