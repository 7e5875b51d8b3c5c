"""Puts the server together: options in, two open ports out, and a clean end."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable

from emotion_faces.errors import UserError
from emotion_faces.model_server import (
    calls,
    config_files,
    core,
    flags,
    grpc_server,
    held,
    http_server,
    image_guard,
    memory,
    metrics,
    ports,
    rest,
    servable,
    settings,
    signals,
    status,
    versions,
    warmup,
)

SWITCH_INTERVAL_SECS = 0.001
_LONGEST_END_SECS = 2.0
"""What the end itself may take after the drain: closing ports, freeing models."""

_IDLE_LOOK_SECS = 1.0
REST_FLAG = "--rest_api_port"

_log = logging.getLogger(__name__)


class ModelServer:
    """One server: start() returns when both ports answer, stop() drains them.

    Args:
      rest_flag: The flag that chose the REST port, for error messages.

    Raises:
      UserError: The options contradict each other or name files that can't be read.
    """

    def __init__(self, options: flags.Options, rest_flag: str = REST_FLAG):
        self._options = options
        self._rest_flag = rest_flag
        self._limits = image_guard.ImageLimits(options.max_image_bytes, options.max_image_pixels)
        self._config = settings.server_config(options)
        self._batching = settings.batching_options(options)
        self._monitoring = None
        if options.monitoring_config_file:
            self._monitoring = config_files.read_monitoring_config(options.monitoring_config_file)
        self._credentials = settings.server_credentials(options.ssl_config_file)
        self._session_config = settings.session_config(options)
        self.core = core.ServerCore(
            self._load,
            versions.RetryPolicy(
                options.max_num_load_retries, options.load_retry_interval_micros / 1e6
            ),
            num_load_threads=options.num_load_threads or 2,
            poll_secs=float(options.file_system_poll_wait_seconds),
            labels_for_unavailable=options.allow_version_labels_for_unavailable_models,
        )
        self._metrics = metrics.Metrics()
        self._calls = calls.Calls(
            self.core,
            self._metrics,
            self._limits,
            options.enable_serialization_as_tensor_content,
            options.enable_signature_method_name_check,
        )
        self._held = held.Held(options.max_held_bytes)
        self._stopping = threading.Event()
        self._config_poller: threading.Thread | None = None
        self._grpc: grpc_server.GrpcServer | None = None
        self._http: http_server.HttpServer | None = None
        self.port = 0
        self.rest_port = 0

    def start(self) -> None:
        """Holds the ports, loads the models, then opens the ports.

        Raises:
          UserError: A port is taken.
          StatusError: A model could not be loaded, or the configuration is wrong.
        """
        options = self._options
        with (
            ports.hold("--port", options.host, max(0, options.port)),
            ports.hold(self._rest_flag, options.host, options.rest_api_port),
        ):
            threading.Thread(target=self._release_when_idle, name="idle", daemon=True).start()
            self.core.start(self._config)
            if options.model_config_file and options.model_config_file_poll_wait_seconds > 0:
                self._config_poller = threading.Thread(
                    target=self._poll_config, name="poll-config", daemon=True
                )
                self._config_poller.start()
            # gRPC last: whoever finds its port open finds the other one open too.
            if options.rest_api_port:
                self._start_http()
            self._start_grpc()

    def stop(self) -> bool:
        """Takes no new calls, lets those under way end, closes the ports and unloads the models.

        Deviation: TensorFlow Serving handles no signal and drops the calls under way.

        Returns:
          Whether every call and load had ended in --drain_timeout_secs; no wait is longer.
        """
        give_up_at = time.monotonic() + self._options.drain_timeout_secs

        def remaining() -> float:
            return max(0.0, give_up_at - time.monotonic())

        self._stopping.set()
        if self._grpc is not None:
            self._grpc.begin_stop(remaining())
        all_ended = self._http is None or self._http.stop(remaining())
        if self._grpc is not None:
            all_ended = self._grpc.wait_stopped(remaining()) and all_ended
        return self.core.stop(remaining()) and all_ended

    def _load(self, name: str, version: int, path: str) -> servable.Servable:
        options = self._options
        loaded = servable.Servable(
            path,
            name,
            version,
            self._batching,
            options.saved_model_tags.split(","),
            self._session_config,
        )
        if options.enable_model_warmup:
            try:
                warmup.run_warmup(
                    loaded, self._limits, max(1, options.num_request_iterations_for_warmup)
                )
            except Exception:
                loaded.close()
                raise
        memory.release()  # what the load itself took is more than the version
        return loaded

    def _poll_config(self) -> None:
        options = self._options
        while not self._stopping.wait(options.model_config_file_poll_wait_seconds):
            try:
                self.core.reload(config_files.read_model_config(options.model_config_file))
            except (UserError, status.StatusError) as error:
                _log.error("the model configuration stays as it was: %s", error)

    def _release_when_idle(self) -> None:
        while not self._stopping.wait(_IDLE_LOOK_SECS):
            memory.IDLE.release()

    def _start_grpc(self) -> None:
        options = self._options
        server = grpc_server.GrpcServer(
            grpc_server.Listening(
                options.host,
                options.port,
                options.grpc_socket_path,
                options.grpc_max_threads,
                options.max_held_bytes,
                settings.channel_arguments(options.grpc_channel_arguments),
                self._credentials,
            ),
            self._calls,
            self._held,
            self.core,
            settings.may_reload(options),
            options.enable_grpc_healthcheck_service,
        )
        self.port = server.start()
        self._grpc = server
        if self.port:
            _log.info("Running gRPC ModelServer at %s:%d ...", options.host, self.port)

    def _start_http(self) -> None:
        options = self._options
        if options.rest_api_port == options.port:
            _log.error(
                "--rest_api_port cannot be same as --port. Please use a different port for "
                "HTTP/REST API. Skipped exporting HTTP/REST API."
            )
            return
        prometheus = self._monitoring.prometheus_config if self._monitoring else None
        api = rest.RestApi(
            self._calls,
            self._metrics,
            options.rest_api_timeout_in_ms / 1000,
            options.rest_api_enable_cors_support,
            (prometheus.path or metrics.DEFAULT_PATH)
            if prometheus is not None and prometheus.enable
            else None,
            settings.rest_hosts(options),
        )
        self._http = http_server.HttpServer(
            api.handle,
            api.handle_in_loop,
            api.large_wait_secs,
            options.host,
            options.rest_api_port,
            self._held,
            options.rest_api_num_threads,
            self._rest_flag,
        )
        self._http.start()
        self.rest_port = self._http.port
        _log.info("Exporting HTTP/REST API at:%s:%d ...", options.host, self.rest_port)


def run(
    options: flags.Options,
    on_ready: Callable[[ModelServer], None] = lambda server: None,
    rest_flag: str = REST_FLAG,
) -> int:
    """Serves until SIGTERM or SIGINT, then drains; returns the exit status.

    The models load in a thread of their own, so that a signal ends the wait for a first version
    too. Where calls still run at the drain's end, the process ends with them, and this function
    does not return: a run of TensorFlow can't be interrupted.

    Args:
      on_ready: Called once both ports answer.
      rest_flag: The flag that chose the REST port, for error messages.

    Raises:
      UserError: The server can't start.
    """
    # Requests that end together wake together; the default of 5 ms lets each wait for the others.
    sys.setswitchinterval(SWITCH_INTERVAL_SECS)
    memory.keep_between_runs()
    ports.allow_connections()
    # The imports leave some 100,000 objects that live as long as the process: a full collection
    # would stop every call meanwhile, and the interpreter's end took seconds. What models bring
    # comes later and is collected as ever.
    gc.freeze()
    server = ModelServer(options, rest_flag)
    waker = signals.Waker()
    failures: list[str] = []

    def start() -> None:
        try:
            server.start()
            on_ready(server)
        except (UserError, status.StatusError) as error:
            failures.append(str(error))
            waker.wake()
        except Exception as error:  # the main thread must not wait for a start that died
            _log.exception("the start failed")
            failures.append(f"{type(error).__name__}: {error}")
            waker.wake()

    threading.Thread(target=start, name="start", daemon=True).start()
    waker.wait()
    if failures:
        raise UserError(f"Failed to start server. Error: {failures[0]}")
    _log.info("stopping: waiting for calls under way to end")
    last = threading.Timer(options.drain_timeout_secs + _LONGEST_END_SECS, _end)
    last.daemon = True
    last.start()
    if not server.stop():
        _end()
    return 0


def _end() -> None:
    """Ends the process, whatever runs in it."""
    try:
        _log.warning("the drain's time is over: what still runs is cut off")
        logging.shutdown()
        sys.stdout.flush()
    finally:  # a pipe that nobody reads, a full disk
        os._exit(0)
