"""The HTTP port: what reaches its handler, and callers that hang up, stay silent or come in too great a number."""

import asyncio
import contextlib
import errno
import socket
import subprocess
import sys
import threading

import pytest
import tornado.httpserver

from emotion_faces.model_server import http_server, rest


class Handler:
    """Answers with the path and the Host header; under /wait it waits in the loop until it is cancelled."""

    def __init__(self):
        self.waits = threading.Event()
        self.cancelled = threading.Event()

    def handle(self, method, path, headers, body):
        return rest.Response(200, f"{path} {headers.get('Host')}".encode(), {})

    def handle_in_loop(self, method, path, headers, body):
        return self._wait() if path == "/wait" else None

    async def _wait(self):
        self.waits.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


@contextlib.contextmanager
def serving(handler):
    server = http_server.HttpServer(
        handler.handle, handler.handle_in_loop, "127.0.0.1", 0, 2, "--rest_api_port"
    )
    server.start()
    yield server
    assert server.stop(10)


def send(server, text):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as caller:
        caller.sendall(text.encode() + b"\r\nConnection: close\r\n\r\n")
        answer = b""
        while more := caller.recv(65536):
            answer += more
    return answer.decode().partition("\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("target", "host", "seen"),
    [
        ("/v1/models/m?a=b", "here", "/v1/models/m here"),
        ("http://there:81/v1/models/m?a=b", "here", "/v1/models/m there:81"),
        ("HTTPS://there/v1", "here", "/v1 there"),
        ("http://[", "here", " ["),
        ("//there/v1", "here", "//there/v1 here"),
        ("/v1/models/émoi", "here", "/v1/models/émoi here"),
    ],
)
def test_the_path_and_the_host_that_are_asked_for(target, host, seen):
    with serving(Handler()) as server:
        assert send(server, f"GET {target} HTTP/1.1\r\nHost: {host}") == seen


def test_nothing_is_computed_for_a_caller_that_has_hung_up():
    handler = Handler()
    with serving(handler) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as caller:
            caller.sendall(b"GET /wait HTTP/1.1\r\nHost: here\r\n\r\n")
            assert handler.waits.wait(10)
            assert not handler.cancelled.is_set()
        assert handler.cancelled.wait(10)
        assert send(server, "GET /v1 HTTP/1.1\r\nHost: here") == "/v1 here"


def test_a_body_that_never_arrives_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(http_server, "_BODY_SECS", 0.2)
    with (
        serving(Handler()) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as caller,
    ):
        caller.sendall(b"POST /v1 HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nhalf")
        assert caller.recv(10) == b""


def test_a_start_that_fails_is_told(monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(tornado.httpserver, "HTTPServer", fail)
    handler = Handler()
    server = http_server.HttpServer(
        handler.handle, handler.handle_in_loop, "127.0.0.1", 0, 2, "--rest_api_port"
    )
    with pytest.raises(OSError, match="Too many open files"):
        server.start()


_FEW_DESCRIPTORS = """
import logging
import resource
import sys
import time

from emotion_faces.model_server import http_server, rest

logging.basicConfig(level=logging.INFO)
server = http_server.HttpServer(
    lambda *_: rest.Response(200, b"answered", {}), lambda *_: None, "127.0.0.1", 0, 2, "--port"
)
server.start()
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
print(server.port, flush=True)
sys.stdin.readline()
print(time.process_time(), flush=True)
sys.stdin.readline()
print(time.process_time(), flush=True)
sys.stdin.readline()
"""


def test_more_callers_than_descriptors_are_refused_and_harm_nobody():
    with subprocess.Popen(
        [sys.executable, "-c", _FEW_DESCRIPTORS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:

        def ask():
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline()

        port = int(process.stdout.readline())
        callers = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(100)]
        assert callers[-1].recv(1) == b"", "it was neither taken nor refused"
        before = float(ask())
        callers[0].settimeout(1)
        with pytest.raises(TimeoutError):  # one of the first is kept
            callers[0].recv(1)
        assert float(ask()) - before < 0.5, "it is woken again and again"
        for caller in callers:
            caller.close()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
            caller.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert caller.recv(9) == b"HTTP/1.1 "
        _, log = process.communicate("\n", timeout=60)
    assert log.count("connections are refused: Too many open files") == 1
    assert len(log.splitlines()) < 5
