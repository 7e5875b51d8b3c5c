"""The command line: tensorflow_model_server's flags by their own names, and a few of ours.

As there: `--flag=value`, a bare `--flag` for true, an unknown flag is reported and passed over, a
value that can't be read ends the start.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from emotion_faces.errors import UserError
from emotion_faces.model_server import ports

_THREADS = max(64, 4 * (os.cpu_count() or 1))
_THREADS_NOTE = "in threads, which small Predict calls are not (TensorFlow Serving: 4 x CPUs)"


def _flag(default: Any, help_text: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": help_text})


@dataclasses.dataclass(frozen=True)
class Options:
    """Every flag, with TensorFlow Serving's default unless its text says otherwise.

    In code, a `port` of -1 opens no TCP port: `grpc_socket_path` alone.
    """

    port: int = _flag(8500, "TCP port of gRPC")
    host: str = _flag(
        "127.0.0.1", "address that both ports bind (ours; TensorFlow Serving binds 0.0.0.0)"
    )
    grpc_socket_path: str = _flag("", "UNIX socket to serve gRPC on as well")
    rest_api_port: int = _flag(0, "TCP port of REST; 0: none")
    rest_api_num_threads: int = _flag(_THREADS, f"REST answers at a time {_THREADS_NOTE}")
    rest_api_timeout_in_ms: int = _flag(30000, "deadline of a REST call")
    rest_api_enable_cors_support: bool = _flag(False, "let pages of other origins call REST")
    model_name: str = _flag("default", "name of the model at --model_base_path")
    model_base_path: str = _flag("", "folder that holds the model's numbered version folders")
    model_config_file: str = _flag("", "ModelServerConfig in text format, in place of these two")
    model_config_file_poll_wait_seconds: int = _flag(
        0, "seconds between two looks at --model_config_file; 0: read once"
    )
    file_system_poll_wait_seconds: int = _flag(
        1, "seconds between two looks for new versions; 0: once, negative: never"
    )
    max_num_load_retries: int = _flag(5, "times that a failed load is tried again")
    load_retry_interval_micros: int = _flag(60 * 1000 * 1000, "microseconds between the tries")
    num_load_threads: int = _flag(
        0, "versions loaded at a time; 0: two (one a model; loads never block polling)"
    )
    enable_model_warmup: bool = _flag(True, "run assets.extra/tf_serving_warmup_requests")
    num_request_iterations_for_warmup: int = _flag(1, "times that each warm-up request is run")
    saved_model_tags: str = _flag("serve", "tags of the meta graph to load, between commas")
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "let new labels point to versions that are not loaded yet"
    )
    enable_batching: bool = _flag(False, "batch by --batching_parameters_file and not greedily")
    batching_parameters_file: str = _flag("", "BatchingParameters in text format")
    monitoring_config_file: str = _flag("", "MonitoringConfig in text format")
    ssl_config_file: str = _flag("", "SSLConfig in text format: TLS for the gRPC port")
    enable_grpc_healthcheck_service: bool = _flag(False, "serve grpc.health.v1.Health")
    enable_serialization_as_tensor_content: bool = _flag(
        False, "Predict answers with tensor_content"
    )
    enable_signature_method_name_check: bool = _flag(
        False, "refuse Classify and Regress on signatures of another method"
    )
    grpc_channel_arguments: str = _flag("", "gRPC arguments: key=value, between commas")
    grpc_max_threads: int = _flag(_THREADS, f"gRPC calls at a time {_THREADS_NOTE}")
    tensorflow_session_parallelism: int = _flag(
        0, "threads within and between ops; 0: TensorFlow's"
    )
    tensorflow_intra_op_parallelism: int = _flag(0, "threads within an op; 0: TensorFlow's choice")
    tensorflow_inter_op_parallelism: int = _flag(0, "threads between ops; 0: TensorFlow's choice")
    drain_timeout_secs: float = _flag(30.0, "most seconds that SIGTERM waits for calls (ours)")
    greedy_batching: bool = _flag(
        True, "let requests of one signature and shape share runs, without waiting (ours)"
    )
    max_held_bytes: int = _flag(
        256 * 1024 * 1024,
        "most bytes of requests that are being answered or read over REST; also the largest of gRPC "
        "(ours)",
    )
    max_image_bytes: int = _flag(16 * 1024 * 1024, "most bytes of one encoded image (ours)")
    max_image_pixels: int = _flag(4096 * 4096, "most pixels of one decoded image (ours)")
    rest_api_allowed_hosts: str = _flag(
        "",
        "names besides localhost that REST on loopback is called by, between commas (ours)",
    )
    allow_reload_config: str = _flag(
        "auto",
        "take HandleReloadConfigRequest: true, false, or auto: with --model_config_file (ours)",
    )
    version: bool = _flag(False, "print the version and exit")
    help: bool = _flag(False, "print this and exit")


WITHOUT_EFFECT = frozenset(
    {
        "enable_per_model_batching_parameters",
        "enable_profiler",
        "flush_filesystem_caches",
        "mixed_precision",
        "num_tflite_interpreters_per_pool",
        "num_tflite_pools",
        "num_unload_threads",
        "per_process_gpu_memory_fraction",
        "prefer_tflite_model",
        "remove_unused_fields_from_bundle_metagraph",
        "skip_initialize_tpu",
        "tensorflow_session_config_file",
        "thread_pool_factory_config_file",
        "xla_cpu_compilation_enabled",
    }
)
"""Flags that tune TensorFlow Serving's own insides; taken and passed over here, with a warning."""

_RELOAD_CHOICES = ("auto", "true", "false")

REFUSED = frozenset({"platform_config_file", "use_alts_credentials"})
"""Flags that would change who is served or what; better no start than another server than meant."""


NAMES = WITHOUT_EFFECT | REFUSED | {field.name for field in dataclasses.fields(Options)}
"""Every flag that tensorflow_model_server has, and ours."""


def parse(arguments: Sequence[str]) -> tuple[Options, list[str]]:
    """The options of a command line, and what to tell the user about it (warnings).

    Raises:
      UserError: A value can't be read, or a flag is not supported here.
    """
    fields = {field.name: field for field in dataclasses.fields(Options)}
    values: dict[str, Any] = {}
    warnings = []
    for argument in arguments:
        name, has_value, text = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not (
            name in fields or name in WITHOUT_EFFECT or name in REFUSED
        ):
            warnings.append(f"unknown argument: {argument}")
        elif name in REFUSED:
            raise UserError(f"--{name} is not supported by this server")
        elif name in WITHOUT_EFFECT:
            warnings.append(f"--{name} has no effect on this server")
        else:
            values[name] = _value(name, type(fields[name].default), text if has_value else None)
    for name in ("port", "rest_api_port"):
        ports.check(f"--{name}", values.get(name, 0))
    if values.get("allow_reload_config", "auto") not in _RELOAD_CHOICES:
        raise UserError(
            f"--allow_reload_config takes {', '.join(_RELOAD_CHOICES)}; "
            f"found {values['allow_reload_config']!r}"
        )
    return Options(**values), warnings


def _value(name: str, kind: type, text: str | None) -> Any:
    if kind is bool:
        values = {"true": True, "1": True, "false": False, "0": False}
        if text is None:
            return True
        if text.lower() in values:
            return values[text.lower()]
    elif text is not None:
        try:
            return kind(text)
        except ValueError:
            pass
    raise UserError(f"--{name} takes a {kind.__name__}; found {text!r}")


def usage(program: str = "python -m emotion_faces.model_server") -> str:
    """The text of --help."""
    lines = [f"usage: {program} --flag=value ...", "Flags:"]
    for field in dataclasses.fields(Options):
        default = json.dumps(field.default)
        lines.append(f"  --{field.name}={default}\t{field.metadata['help']}")
    return "\n".join(lines) + "\n"


def to_arguments(values: Mapping[str, Any]) -> list[str]:
    """The command line of flags by name, for either server; None is left out."""
    return [
        f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in values.items()
        if value is not None
    ]


def report(warnings: Sequence[str]) -> None:
    """Prints the warnings of parse(), and the usage where a flag was unknown."""
    for warning in warnings:
        print(warning, file=sys.stderr)
    if any(warning.startswith("unknown argument") for warning in warnings):
        print(usage(), file=sys.stderr)


def set_up_logging() -> None:
    """Logs to stderr, of TensorFlow its errors alone; before TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s] %(message)s"
    )
    logging.getLogger("tornado.general").setLevel(
        logging.WARNING
    )  # a line for each malformed request
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # its warnings are of deprecated names
