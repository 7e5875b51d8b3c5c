"""The HTTP port: one event loop that reads and writes, and threads that answer."""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import threading
from collections.abc import Callable, Mapping

import tornado.httpserver
import tornado.ioloop
import tornado.netutil
import tornado.web

from serving.model_server import rest

HandleFn = Callable[[str, str, Mapping[str, str], bytes], rest.Response]

_MAX_BODY_BYTES = 2**31 - 1  # as the gRPC port
_STOP_SECS = 5.0


class _Handler(tornado.web.RequestHandler):
    """Hands any request to the answering threads and writes what they return."""

    SUPPORTED_METHODS = (*tornado.web.RequestHandler.SUPPORTED_METHODS, "TRACE")

    def initialize(self, handle: HandleFn, executor: concurrent.futures.Executor) -> None:
        self._handle = handle
        self._executor = executor

    async def _answer(self) -> None:
        request = self.request
        response = await asyncio.get_running_loop().run_in_executor(
            self._executor,
            self._handle,
            request.method or "",
            request.path,
            request.headers,
            request.body,
        )
        self.clear_header("Content-Type")
        self.set_status(response.code)
        for name, value in response.headers.items():
            self.set_header(name, value)
        await self.finish(response.body if request.method != "HEAD" else None)

    get = post = put = delete = patch = head = options = trace = _answer

    def compute_etag(self) -> None:
        """No caching of answers."""


class HttpServer:
    """Serves `handle` on a port; start() returns once it is bound.

    Args:
      handle: answers (method, path, headers, body); called from several threads.
      host: address to bind.
      port: 0 for any free one.
      num_threads: answers at a time.
    """

    def __init__(self, handle: HandleFn, host: str, port: int, num_threads: int):
        self._executor = concurrent.futures.ThreadPoolExecutor(num_threads, "rest")
        self._application = tornado.web.Application(
            [(r".*", _Handler, {"handle": handle, "executor": self._executor})],
            log_function=lambda handler: None,
        )
        family = socket.AF_UNSPEC if ":" in host else socket.AF_INET
        self._sockets = tornado.netutil.bind_sockets(port, host, family)
        self.port: int = self._sockets[0].getsockname()[1]
        self._loop: tornado.ioloop.IOLoop | None = None
        self._server: tornado.httpserver.HTTPServer | None = None
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._started = threading.Event()

    def start(self) -> None:
        """Takes requests from now on."""
        self._thread.start()
        self._started.wait()

    def stop(self) -> None:
        """Takes no more requests, answers those under way, and ends."""
        if self._loop is None:
            return
        loop = self._loop
        done = threading.Event()

        async def drain() -> None:
            assert self._server is not None
            self._server.stop()
            await asyncio.to_thread(self._executor.shutdown, True)
            await self._server.close_all_connections()
            loop.stop()
            done.set()

        loop.add_callback(lambda: asyncio.ensure_future(drain()))
        done.wait(_STOP_SECS)
        self._thread.join(_STOP_SECS)

    def _run(self) -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        self._loop = tornado.ioloop.IOLoop.current()
        self._server = tornado.httpserver.HTTPServer(
            self._application, max_body_size=_MAX_BODY_BYTES, max_buffer_size=_MAX_BODY_BYTES
        )
        self._server.add_sockets(self._sockets)
        self._loop.add_callback(self._started.set)
        self._loop.start()
        self._loop.close(all_fds=True)
