"""The gRPC ports: one event loop that reads, writes and answers what it can, and threads for the rest."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import threading
import time
from collections.abc import Sequence
from typing import Any

import grpc

from emotion_faces.errors import UserError
from emotion_faces.model_server import calls, core, grpc_services, held, ports, reflection

_MAX_MESSAGE_BYTES = 2**31 - 1
_MAX_STREAMS = 2048
"""Calls of one connection at a time; a client waits with more, and gRPC refuses those of one that does not.

Those too count that were cancelled at once and are not gone yet: without it (gRPC's default) a caller that
opens and resets streams without end (CVE-2023-44487) filled the memory.
"""

_STATUS_THREADS = 2


@dataclasses.dataclass(frozen=True)
class Listening:
    """Where a gRPC server listens, and how.

    Attributes:
      host: Address of the port.
      port: 0 for any free one, -1 for none.
      socket_path: A Unix socket; '' for none.
      num_threads: Calls that threads answer at a time.
      max_message_bytes: Largest request that is read.
      channel_arguments: gRPC's own.
      credentials: For TLS; None without it.
    """

    host: str
    port: int
    socket_path: str
    num_threads: int
    max_message_bytes: int
    channel_arguments: Sequence[tuple[str, Any]] = ()
    credentials: grpc.ServerCredentials | None = None


class GrpcServer:
    """Serves TensorFlow Serving's two services, health and reflection.

    Args:
      listening: Where, and how.
      server_calls: Answers the calls.
      held_requests: Bounds what waits.
      server_core: Whose configuration a call may change.
      may_reload: Whether it may.
      health: Whether the health service is there.
    """

    def __init__(
        self,
        listening: Listening,
        server_calls: calls.Calls,
        held_requests: held.Held,
        server_core: core.ServerCore,
        may_reload: bool,
        health: bool,
    ):
        self._listening = listening
        self._executor = concurrent.futures.ThreadPoolExecutor(listening.num_threads, "grpc")
        # Their own: they go on answering while each of the others waits for a run.
        self._status_executor = concurrent.futures.ThreadPoolExecutor(_STATUS_THREADS, "status")
        self._prediction = grpc_services.PredictionService(
            server_calls, held_requests, self._executor, self._status_executor
        )
        self._model = grpc_services.ModelService(
            server_core, server_calls, may_reload, self._executor, self._status_executor
        )
        self._with_health = health
        self._loop = asyncio.new_event_loop()
        self._stopping: asyncio.Future[float] = self._loop.create_future()
        self._started: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="grpc", daemon=True)

    def start(self) -> int:
        """Takes calls from now on, and returns the port; 0 where there is none.

        Raises:
          UserError: The port or the socket can't be opened.
        """
        self._thread.start()
        return self._started.result()

    def begin_stop(self, timeout_secs: float) -> None:
        """Takes no more calls; those under way are cancelled after the timeout."""
        ends_at = time.monotonic() + timeout_secs
        self._loop.call_soon_threadsafe(self._stopping.set_result, ends_at)

    def wait_stopped(self, timeout_secs: float) -> bool:
        """Waits for the end after `begin_stop`; False where calls still run then."""
        self._thread.join(timeout_secs)
        return not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:
            self._started.set_exception(error)
        finally:
            self._executor.shutdown(wait=False)
            self._status_executor.shutdown(wait=False)
            self._loop.close()

    async def _serve(self) -> None:
        listening = self._listening
        server = grpc.aio.server(
            migration_thread_pool=self._executor,
            options=[
                ("grpc.max_concurrent_streams", _MAX_STREAMS),
                # Its default of 2 makes an error and a farewell of 2 KB for each PING too many that it reads.
                ("grpc.http2.max_ping_strikes", 0),
                (
                    "grpc.max_receive_message_length",
                    min(listening.max_message_bytes, _MAX_MESSAGE_BYTES),
                ),
                ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.so_reuseport", 0),  # else a second server would share the port unnoticed
                *listening.channel_arguments,
            ],
        )
        grpc_services.add_services(server, self._prediction, self._model)
        health = await grpc_services.add_health_service(server) if self._with_health else None
        reflection.add_reflection(server, self._with_health)
        port = self._open(server)
        await server.start()
        self._started.set_result(port)
        ends_at = await self._stopping
        if health is not None:
            await health.enter_graceful_shutdown()
        await server.stop(max(0.0, ends_at - time.monotonic()))
        await self._prediction.ended()

    def _open(self, server: grpc.aio.Server) -> int:
        listening, port = self._listening, 0
        if listening.port >= 0:
            host = f"[{listening.host}]" if ":" in listening.host else listening.host
            port = self._bind(server, f"{host}:{listening.port}")
            if not port:
                raise ports.cannot_open("--port", listening.host, listening.port)
        if listening.socket_path and not self._bind(server, f"unix:{listening.socket_path}"):
            raise UserError(f"the socket {listening.socket_path} can't be opened")
        return port

    def _bind(self, server: grpc.aio.Server, address: str) -> int:
        """The port that was bound (1 for a socket); 0 where it can't be."""
        try:
            if self._listening.credentials is None:
                return server.add_insecure_port(address)
            return server.add_secure_port(address, self._listening.credentials)
        except RuntimeError:
            return 0
