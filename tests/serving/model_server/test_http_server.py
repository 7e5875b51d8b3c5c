"""The HTTP port: what reaches its handler, and callers that hang up, stay silent or come in too great a number."""

import asyncio
import concurrent.futures
import contextlib
import errno
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest
import tornado.httpserver

from emotion_faces.model_server import held, http_server, rest


class Handler:
    """Answers with the path and the Host header; under /wait it waits in the loop until it is cancelled."""

    def __init__(self):
        self.waits = threading.Event()
        self.cancelled = threading.Event()

    def handle(self, method, path, headers, body):
        return rest.Response(200, f"{path} {headers.get('Host')}".encode(), {})

    def handle_in_loop(self, method, path, headers, body):
        return self._wait() if path == "/wait" else None

    def large_wait_secs(self, headers, body):
        return None

    async def _wait(self):
        self.waits.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def make(handler):
    return http_server.HttpServer(
        handler.handle,
        handler.handle_in_loop,
        handler.large_wait_secs,
        "127.0.0.1",
        0,
        held.Held(1 << 20),
        2,
        "--rest_api_port",
    )


@contextlib.contextmanager
def serving(handler):
    server = make(handler)
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


def ask(server, *parts):
    """Sends the parts of a request one after the other, and returns the whole of what comes back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as caller:
        with contextlib.suppress(ConnectionError):  # an answer may come before the last of them
            for part in parts:
                caller.sendall(part)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while more := caller.recv(65536):
                answer += more
    return answer.decode()


def posted(length):
    return (
        b"POST /v1 HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        % length
    )


CHUNKED = (
    b"POST /v1 HTTP/1.1\r\nHost: here\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize(
    "start", [posted(1 << 30), CHUNKED + b"40000000\r\n"], ids=["with a length", "in chunks"]
)
def test_a_body_of_more_than_may_be_held_is_refused_while_it_comes(start):
    with serving(Handler()) as server:
        answer = ask(server, start, *[b"x" * 65536] * 32)
        assert answer.startswith("HTTP/1.1 429 ")
        assert "--max_held_bytes" in answer
        whole = ask(server, posted(1 << 19), b"x" * (1 << 19))
        assert whole.startswith("HTTP/1.1 200 "), "what was refused is still counted"


def test_a_body_that_waits_counts_until_its_caller_is_gone():
    half = b"x" * (1 << 19)
    with serving(Handler()) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as slow:
            slow.sendall(posted(1 << 20) + half)
            time.sleep(0.2)
            assert ask(server, posted(1 << 19), half).startswith("HTTP/1.1 429 ")
            assert send(server, "GET /v1 HTTP/1.1\r\nHost: here") == "/v1 here"
        time.sleep(0.2)
        assert ask(server, posted(1 << 19), half).startswith("HTTP/1.1 200 ")


def test_a_body_counts_until_it_is_answered_though_its_caller_is_gone():
    go, begun = threading.Event(), threading.Event()

    class Slow(Handler):
        def handle(self, method, path, headers, body):
            if path == "/slow":
                begun.set()
                assert go.wait(10)
            return super().handle(method, path, headers, body)

    half = b"x" * (1 << 19)
    with serving(Slow()) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as caller:
            caller.sendall(posted(1 << 19).replace(b"/v1", b"/slow") + half)
            assert begun.wait(10)
        time.sleep(0.2)
        assert ask(server, posted(1 << 19), half).startswith("HTTP/1.1 429 ")
        go.set()
        time.sleep(0.2)
        assert ask(server, posted(1 << 19), half).startswith("HTTP/1.1 200 ")


def test_a_body_in_chunks_of_a_byte_is_whole_and_holds_nobody_up():
    bodies = []

    class Keeping(Handler):
        def handle(self, method, path, headers, body):
            bodies.append(body)
            return super().handle(method, path, headers, body)

    sent = bytes(range(256)) * 100
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in sent)
    with (
        serving(Keeping()) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as slow,
    ):
        slow.sendall(CHUNKED + chunks + b"0\r\n\r\n")
        assert send(server, "GET /v1 HTTP/1.1\r\nHost: here") == "/v1 here"
        assert slow.recv(12) == b"HTTP/1.1 200"
    assert bodies == [b"", sent], "nobody else was answered before the last of the chunks"


def test_what_a_caller_had_sent_before_it_hung_up_is_not_answered():
    asked = []

    class Counting(Handler):
        def handle(self, method, path, headers, body):
            asked.append(path)
            time.sleep(0.01)
            return rest.Response(200, b"x" * 65536, {})

    with serving(Counting()) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as caller:
            caller.sendall(b"GET /v1 HTTP/1.1\r\nHost: here\r\n\r\n" * 1000)
            assert caller.recv(8) == b"HTTP/1.1"
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.3)
        seen = len(asked)
        time.sleep(0.3)
        assert len(asked) == seen < 900


def test_large_requests_are_answered_beside_few_others_and_small_ones_at_once():
    inside, most, go = [], [], threading.Semaphore(0)

    class Large(Handler):
        def large_wait_secs(self, headers, body):
            return {b"large": 30, b"later": 0.1}.get(body)

        def handle(self, method, path, headers, body):
            if body != b"small":
                inside.append(path)
                most.append(len(inside))
                assert go.acquire(timeout=20)
                inside.remove(path)
            return super().handle(method, path, headers, body)

    with serving(Large()) as server, concurrent.futures.ThreadPoolExecutor(8) as threads:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as gone:
            waiting = [threads.submit(ask, server, posted(5), b"large") for _ in range(4)]
            while len(inside) < rest.LARGE_AT_ONCE:
                time.sleep(0.01)
            gone.sendall(posted(5) + b"large")
            late = ask(server, posted(5), b"later")
            assert late.startswith("HTTP/1.1 429 ")
            assert "are being answered" in late
        go.release(len(waiting))  # none for the one that is gone
        assert {one.result()[:13] for one in waiting} == {"HTTP/1.1 200 "}
    assert max(most) == rest.LARGE_AT_ONCE


def test_states_are_told_while_every_thread_waits_for_a_run():
    go = threading.Event()

    class Full(Handler):
        def handle(self, method, path, headers, body):
            if method == "POST":
                assert go.wait(10)
            return super().handle(method, path, headers, body)

    with serving(Full()) as server, contextlib.ExitStack() as callers:
        for _ in range(10):  # it has two threads
            caller = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            callers.enter_context(caller).sendall(posted(1) + b"x")
        assert send(server, "GET /v1 HTTP/1.1\r\nHost: here") == "/v1 here"
        go.set()


def test_an_answer_that_nobody_reads_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(http_server, "_BODY_SECS", 0.3)

    class Large(Handler):
        def handle(self, method, path, headers, body):
            return rest.Response(200, b"x" * (64 << 20), {})

    with (
        serving(Large()) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as caller,
    ):
        caller.sendall(b"GET /v1 HTTP/1.1\r\nHost: here\r\n\r\n")
        time.sleep(1)
        got = 0
        with contextlib.suppress(ConnectionError):
            while more := caller.recv(1 << 20):
                got += len(more)
    assert got < 64 << 20


def test_a_start_that_fails_is_told(monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(tornado.httpserver, "HTTPServer", fail)
    handler = Handler()
    server = make(handler)
    with pytest.raises(OSError, match="Too many open files"):
        server.start()


_FEW_DESCRIPTORS = """
import logging
import resource
import sys
import time

from emotion_faces.model_server import held, http_server, rest

logging.basicConfig(level=logging.INFO)
server = http_server.HttpServer(
    lambda *_: rest.Response(200, b"answered", {}),
    lambda *_: None,
    lambda *_: None,
    "127.0.0.1",
    0,
    held.Held(1 << 20),
    2,
    "--port",
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
