"""Puts the server together: options in, two open ports out, and a clean end."""

from __future__ import annotations

import concurrent.futures
import logging
import os
import signal
import threading
from typing import Any

import grpc

from serving.errors import UserError
from serving.model_server import (
    batching,
    core,
    flags,
    grpc_services,
    http_server,
    image_guard,
    rest,
    servable,
    status,
    versions,
)
from serving.protos import model_server_config_pb2

_MAX_MESSAGE_BYTES = 2**31 - 1

_log = logging.getLogger(__name__)


class ModelServer:
    """One server: start() returns when both ports answer, stop() drains them.

    Raises:
      UserError: the options contradict each other or name files that can't be read.
    """

    def __init__(self, options: flags.Options):
        self._options = options
        self._limits = image_guard.ImageLimits(options.max_image_bytes, options.max_image_pixels)
        self._config = server_config(options)
        self._batching = batching.BatchingOptions()
        self.core = core.ServerCore(
            self._load,
            versions.RetryPolicy(
                options.max_num_load_retries, options.load_retry_interval_micros / 1e6
            ),
            num_load_threads=options.num_load_threads or 2,
            poll_secs=float(options.file_system_poll_wait_seconds),
            labels_for_unavailable=options.allow_version_labels_for_unavailable_models,
        )
        self._grpc: grpc.Server | None = None
        self._http: http_server.HttpServer | None = None
        self.port = 0
        self.rest_port = 0

    def start(self) -> None:
        """Loads the models, then opens the ports.

        Raises:
          UserError: a port is taken.
          StatusError: a model could not be loaded, or the configuration is wrong.
        """
        self.core.start(self._config)
        self._start_grpc()
        if self._options.rest_api_port:
            self._start_http()

    def stop(self) -> None:
        """Takes no new calls, lets those under way end, and closes the ports."""
        ended = self._grpc.stop(self._options.drain_timeout_secs) if self._grpc else None
        if self._http is not None:
            self._http.stop()
        if ended is not None:
            ended.wait()
        self.core.stop()

    def _load(self, name: str, version: int, path: str) -> servable.Servable:
        return servable.Servable(
            path, name, version, self._batching, self._options.saved_model_tags.split(",")
        )

    def _start_grpc(self) -> None:
        options = self._options
        server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(options.grpc_max_threads, "grpc"),
            options=[
                ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.so_reuseport", 0),  # else a second server would share the port unnoticed
                *_channel_arguments(options.grpc_channel_arguments),
            ],
        )
        grpc_services.add_services(
            server,
            grpc_services.PredictionService(
                self.core, self._limits, options.enable_serialization_as_tensor_content
            ),
            grpc_services.ModelService(self.core),
        )
        self.port = _bind(server, f"{_bracketed(options.host)}:{options.port}")
        if options.grpc_socket_path:
            _bind(server, f"unix:{options.grpc_socket_path}")
        server.start()
        self._grpc = server
        _log.info("Running gRPC ModelServer at %s:%d ...", options.host, self.port)

    def _start_http(self) -> None:
        options = self._options
        if options.rest_api_port == options.port:
            _log.error(
                "--rest_api_port cannot be same as --port. Please use a different port for "
                "HTTP/REST API. Skipped exporting HTTP/REST API."
            )
            return
        api = rest.RestApi(
            self.core,
            self._limits,
            options.rest_api_timeout_in_ms / 1000,
            options.rest_api_enable_cors_support,
        )
        try:
            self._http = http_server.HttpServer(
                api.handle, options.host, options.rest_api_port, options.rest_api_num_threads
            )
        except OSError as error:
            raise UserError(
                f"the REST port {options.host}:{options.rest_api_port} can't be opened: "
                f"{error.strerror}; choose another with --rest_api_port"
            ) from error
        self._http.start()
        self.rest_port = self._http.port
        _log.info("Exporting HTTP/REST API at:%s:%d ...", options.host, self.rest_port)


def server_config(options: flags.Options) -> Any:
    """The ModelServerConfig that the options name: a file, or one model.

    Raises:
      UserError: neither is given, or the base path is not absolute.
    """
    if not options.model_base_path:
        raise UserError("name a model: --model_base_path=DIR or --model_config_file=FILE")
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(
        name=options.model_name,
        base_path=os.path.abspath(options.model_base_path),
        model_platform=core.PLATFORM,
    )
    return config


def _channel_arguments(text: str) -> list[tuple[str, int | str]]:
    arguments: list[tuple[str, int | str]] = []
    for item in filter(None, text.split(",")):
        key, has_value, value = item.partition("=")
        if not has_value:
            raise UserError(f"--grpc_channel_arguments takes key=value; found {item!r}")
        arguments.append((key, int(value) if value.lstrip("-").isdigit() else value))
    return arguments


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _bind(server: grpc.Server, address: str) -> int:
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        raise UserError(
            f"the gRPC address {address} can't be opened; it may be in use: choose another with "
            "--port"
        )
    return port


def run(options: flags.Options) -> int:
    """Serves until SIGTERM or SIGINT, then drains; returns the exit status.

    The models load in a thread of their own, so that a signal ends the wait for a first version
    too.
    """
    server = ModelServer(options)
    over = threading.Event()
    failures: list[str] = []

    def start() -> None:
        try:
            server.start()
        except (UserError, status.StatusError) as error:
            failures.append(f"Failed to start server. Error: {error}")
            over.set()
        except Exception:  # the main thread must not wait for a start that died
            _log.exception("the start failed")
            failures.append("Failed to start server.")
            over.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    threading.Thread(target=start, name="start", daemon=True).start()
    over.wait()
    if failures:
        _log.error("%s", failures[0])
        return 255
    _log.info("stopping: waiting for calls under way to end")
    server.stop()
    return 0
