"""The HTTP port: one event loop that reads, writes and answers what it can, and threads for the rest.

It stands on Tornado's HTTP server without its web framework, which would parse bodies as forms.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import http
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import grpc
import tornado.http1connection
import tornado.httpserver
import tornado.httputil
import tornado.ioloop
import tornado.iostream
import tornado.netutil

from emotion_faces.model_server import held, ports, rest, status
from emotion_faces.throttle import Throttle

HandleFn = Callable[[str, str, Mapping[str, str], bytes], rest.Response]
LargeWaitFn = Callable[[Mapping[str, str], bytes], float | None]
HandleInLoopFn = Callable[[str, str, Mapping[str, str], bytes], Awaitable[rest.Response] | None]

_MAX_BODY_BYTES = 2**31 - 1  # as the gRPC port
_PIECE_BYTES = 64 * 1024
_STATUS_THREADS = 2
_BODY_SECS = 600.0
"""What a body may take to arrive, and an answer to leave: a caller that is gone would be waited for."""

_ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_CLIENT_CLOSED_REQUEST = 499

_log = logging.getLogger(__name__)


class _Request(tornado.httputil.HTTPMessageDelegate):
    """One request: collected, answered by the loop or by a thread, written back."""

    def __init__(self, connection: tornado.http1connection.HTTP1Connection, requests: _Requests):
        self._connection = connection
        self._requests = requests
        self._method = self._path = ""
        self._headers = tornado.httputil.HTTPHeaders()
        self._pieces: list[bytes] = []
        self._piece = bytearray()
        self._size = 0
        self._held: held.Call | None = None  # until the body is there

    def headers_received(
        self,
        start_line: tornado.httputil.RequestStartLine | tornado.httputil.ResponseStartLine,
        headers: tornado.httputil.HTTPHeaders,
    ) -> None:
        assert isinstance(start_line, tornado.httputil.RequestStartLine)
        if self._connection.stream.closed():
            # Else whatever else it had sent before it hung up would be answered.
            self._connection.detach()
            return
        self._method = start_line.method
        target = start_line.path.encode("latin-1").decode(errors="replace")
        # As proxies ask: its host goes before the header.
        if absolute := _ABSOLUTE.fullmatch(target):
            headers["Host"], target = absolute.groups()
        self._path = target.partition("?")[0]
        self._headers = headers

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._size += len(chunk)
        try:
            if self._held is None:
                self._held = self._requests.held.start_call(self._size)
            else:
                self._held.resize(self._size)
        except status.StatusError as error:
            self._forget()
            self._begin(rest.error_response(error))
            self._connection.finish()  # Tornado sends it, closes, and hands on no more of the body
            return None
        # In pieces of one size: a body may come a byte at a time, each an object of 34 bytes.
        self._piece += chunk
        if len(self._piece) < _PIECE_BYTES:
            # Tornado lets nobody else have a turn while it finds chunks in its buffer.
            return None if "Content-Length" in self._headers else asyncio.sleep(0)
        self._pieces.append(bytes(self._piece))
        self._piece.clear()
        return asyncio.sleep(0)

    def finish(self) -> None:
        answering = self._requests.start(self._answer())

        def hung_up() -> None:
            answering.cancel()  # nothing is computed for a caller that is gone

        self._connection.set_close_callback(hung_up)

    def on_connection_close(self) -> None:
        self._forget()

    def _forget(self) -> None:
        """Drops what has come of the body."""
        self._pieces.clear()
        self._piece.clear()
        if self._held is not None:
            self._held.close()

    async def _answer(self) -> None:
        body = b"".join([*self._pieces, self._piece])
        self._pieces.clear()
        self._piece.clear()
        counted, self._held = self._held, None
        response = await self._requests.respond(
            self._method, self._path, self._headers, body, counted
        )
        del body
        try:
            await asyncio.wait_for(self._begin(response), _BODY_SECS)
            self._connection.finish()
        except asyncio.TimeoutError:
            self._connection.stream.close()
        except (OSError, tornado.iostream.StreamClosedError):
            pass  # the caller hung up

    def _begin(self, response: rest.Response) -> asyncio.Future[None]:
        """Writes an answer; the future ends when it has left."""
        headers = tornado.httputil.HTTPHeaders(dict(response.headers))
        headers["Content-Length"] = str(len(response.body))
        start_line = tornado.httputil.ResponseStartLine(
            "HTTP/1.1", response.code, _reason(response.code)
        )
        body = response.body if self._method != "HEAD" else b""
        return self._connection.write_headers(start_line, headers, body)


def _too_many_large() -> status.StatusError:
    return status.StatusError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        f"{rest.LARGE_AT_ONCE} requests of more than {rest.LARGE_BYTES} bytes are being answered",
    )


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # closed: the server has ended
        loop.call_soon_threadsafe(call)


def _reason(code: int) -> str:
    return (
        "Client Closed Request" if code == _CLIENT_CLOSED_REQUEST else http.HTTPStatus(code).phrase
    )


class _Requests(tornado.httputil.HTTPServerConnectionDelegate):
    """The requests of one server."""

    def __init__(
        self,
        handle: HandleFn,
        handle_in_loop: HandleInLoopFn,
        large_wait_secs: LargeWaitFn,
        held_requests: held.Held,
        executor: concurrent.futures.Executor,
    ):
        self._large_wait_secs = large_wait_secs
        self._large = asyncio.Semaphore(rest.LARGE_AT_ONCE)
        self.held = held_requests
        self._handle = handle
        self._handle_in_loop = handle_in_loop
        self._executor: concurrent.futures.Executor = executor
        # Its own: it goes on answering while each of the others waits for a run.
        self._status_executor = concurrent.futures.ThreadPoolExecutor(_STATUS_THREADS, "status")
        self._answering: set[asyncio.Task[None]] = set()

    def start_request(
        self, server_conn: object, request_conn: tornado.httputil.HTTPConnection
    ) -> tornado.httputil.HTTPMessageDelegate:
        assert isinstance(request_conn, tornado.http1connection.HTTP1Connection)
        return _Request(request_conn, self)

    def start(self, answer: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(answer)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        return task

    async def respond(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        counted: held.Call | None,
    ) -> rest.Response:
        """Answers a request, whose body counts until then, even where its caller is gone."""
        with contextlib.ExitStack() as until_answered:
            if counted is not None:
                until_answered.enter_context(counted)
            in_loop = self._handle_in_loop(method, path, headers, body)
            if in_loop is not None:
                return await in_loop
            executor = self._executor
            if method == "GET":
                executor, body = self._status_executor, b""
            wait_secs = self._large_wait_secs(headers, body)
            if wait_secs is not None:
                # Here, where it holds no thread and ends with its caller.
                try:
                    await asyncio.wait_for(self._large.acquire(), wait_secs)
                except asyncio.TimeoutError:
                    return rest.error_response(_too_many_large())
                loop = asyncio.get_running_loop()
                until_answered.callback(_in_loop, loop, self._large.release)
            answering = executor.submit(self._handle, method, path, headers, body)
            until = until_answered.pop_all()
            answering.add_done_callback(lambda _: until.close())
            return await asyncio.wrap_future(answering)

    async def ended(self) -> None:
        """Waits until every request that is there now has been answered."""
        if self._answering:
            await asyncio.wait(self._answering)
        self._executor.shutdown(wait=False)
        self._status_executor.shutdown(wait=False)


class _Listener(socket.socket):
    """A listening socket that stays in order where the process has no descriptor left.

    Tornado would be woken for the same connection again and again, and log each time. One descriptor
    is kept to spare: with it such a connection is taken, and closed at once.

    Args:
      bound: The socket; it is detached.
    """

    def __init__(self, bound: socket.socket):
        super().__init__(bound.family, bound.type, bound.proto, bound.detach())
        self.setblocking(False)
        self._spare = [os.open(os.devnull, os.O_RDONLY)]
        self._throttle = Throttle(at_once=True)

    def accept(self) -> tuple[socket.socket, Any]:
        """Takes a connection.

        Raises:
          ConnectionAbortedError: It had to be closed; the next may be taken.
          BlockingIOError: There is none, or no descriptor for it.
        """
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            reason = error.strerror
        if self._throttle.ready():
            _log.error("connections are refused: %s; raise the limit (ulimit -n)", reason)
        try:
            while self._spare:
                os.close(self._spare.pop())
            super().accept()[0].close()
            self._spare.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:  # another thread took it
            with contextlib.suppress(OSError):
                self._spare.append(os.open(os.devnull, os.O_RDONLY))
            time.sleep(0.01)
            raise BlockingIOError from None
        raise ConnectionAbortedError

    def close(self) -> None:
        """Closes it, and what is spare."""
        while self._spare:
            os.close(self._spare.pop())
        super().close()


class HttpServer:
    """Serves `handle` on a port, which is bound at once; start() begins to answer.

    Args:
      handle: Answers (method, path, headers, body); called from several threads.
      handle_in_loop: Is asked first, and gives an answer to await, or None where it is for `handle`.
      large_wait_secs: Tells of a request for `handle` how long it may wait for its turn among the
        large ones; None where it is none of these.
      host: Address to bind.
      port: 0 for any free one.
      held_requests: Bounds what waits.
      num_threads: Answers at a time.
      flag: The flag that chose the port, for the error message.

    Raises:
      UserError: The port can't be bound.
    """

    def __init__(
        self,
        handle: HandleFn,
        handle_in_loop: HandleInLoopFn,
        large_wait_secs: LargeWaitFn,
        host: str,
        port: int,
        held_requests: held.Held,
        num_threads: int,
        flag: str,
    ):
        family = socket.AF_UNSPEC if ":" in host else socket.AF_INET
        try:
            self._sockets = [
                _Listener(bound) for bound in tornado.netutil.bind_sockets(port, host, family)
            ]
        except OSError as error:
            raise ports.cannot_open(flag, host, port, error) from error
        self.port: int = self._sockets[0].getsockname()[1]
        self._executor = concurrent.futures.ThreadPoolExecutor(num_threads, "rest")
        self._requests = _Requests(
            handle, handle_in_loop, large_wait_secs, held_requests, self._executor
        )
        self._loop: tornado.ioloop.IOLoop | None = None
        self._server: tornado.httpserver.HTTPServer | None = None
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._started: concurrent.futures.Future[None] = concurrent.futures.Future()

    def start(self) -> None:
        """Takes requests from now on."""
        self._thread.start()
        self._started.result()

    def stop(self, timeout_secs: float) -> bool:
        """Takes no more requests, answers those under way, and ends; False where not in time."""
        loop, server = self._loop, self._server
        if loop is None or server is None:
            return True

        async def drain() -> None:
            server.stop()
            await self._requests.ended()
            await server.close_all_connections()
            loop.stop()

        loop.add_callback(drain)
        self._thread.join(timeout_secs)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.set_event_loop(asyncio.new_event_loop())
            self._loop = tornado.ioloop.IOLoop.current()
            self._server = tornado.httpserver.HTTPServer(
                self._requests,
                max_body_size=_MAX_BODY_BYTES,
                max_buffer_size=_MAX_BODY_BYTES,
                body_timeout=_BODY_SECS,
            )
            self._server.add_sockets(self._sockets)
        except Exception as error:  # else the start would wait for good
            self._started.set_exception(error)
            return
        self._loop.add_callback(self._started.set_result, None)
        self._loop.start()
        self._loop.close(all_fds=True)
