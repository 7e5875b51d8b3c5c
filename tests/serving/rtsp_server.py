"""As much of an RTSP server (RFC 2326) as tests want: it refuses, is silent, or plays a transport stream over TCP."""

from __future__ import annotations

import contextlib
import socketserver
import struct
import threading
import time
from collections.abc import Iterator

from tests.serving.running import running

_TS_PACKETS = 7  # of 188 bytes, as many as fit into a frame of Ethernet
_CLOCK_HZ = 90_000


class _Handler(socketserver.StreamRequestHandler):
    server: RtspServer

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while (line := self.rfile.readline().decode()) and self._answer(line.split()[0]):
                pass

    def _answer(self, method: str) -> bool:
        """Answers one request; returns whether another is waited for."""
        lines = iter(lambda: self.rfile.readline().decode().strip(), "")
        headers = dict(one.split(": ", 1) for one in lines)
        self.server.asked.append((method, headers))
        if self.server.is_silent:
            self.server.over.wait()
            return False
        more, body, status = "", "", "200 OK"
        if method == "DESCRIBE":
            status, body = self.server.status, self._described()
            more = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        if status.startswith("401"):
            more, body = 'WWW-Authenticate: Basic realm="here"\r\n', ""
        if method == "SETUP":
            more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
        head = f"RTSP/1.0 {status}\r\nCSeq: {headers['CSeq']}\r\n{more}\r\n"
        self.wfile.write((head + body).encode())
        if method == "PLAY":
            self._play()
        return method != "PLAY"

    def _described(self) -> str:
        stated = f"a=range:npt=0-{self.server.stated_secs}\r\n" if self.server.stated_secs else ""
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=film\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
            f"{stated}m=video 0 RTP/AVP 33\r\na=rtpmap:33 MP2T/{_CLOCK_HZ}\r\na=control:track1\r\n"
        )

    def _play(self) -> None:
        size = _TS_PACKETS * 188
        film = self.server.film
        for number, start in enumerate(range(0, len(film), size)):
            packet = struct.pack("!BBHII", 0x80, 33, number % 2**16, number * 900, 1)
            packet += film[start : start + size]
            self.wfile.write(b"$\0" + struct.pack("!H", len(packet)) + packet)
        if self.server.hangs:
            self.server.over.wait()
        time.sleep(0.5)  # what was sent is read before the connection goes


class RtspServer(socketserver.ThreadingTCPServer):
    """Plays `film`.

    status: of the answer to DESCRIBE. stated_secs: how long it says that the film is; 0 for nothing.
    is_silent: it takes connections and never answers. hangs: it keeps the connection after the film.
    asked: methods with their headers.
    """

    allow_reuse_address = daemon_threads = True
    film = b""
    status = "200 OK"
    stated_secs = 0.0
    is_silent = hangs = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()

    def url(self, path: str = "live", user: str = "", host: str = "127.0.0.1") -> str:
        return f"rtsp://{user}{host}:{self.server_address[1]}/{path}"


@contextlib.contextmanager
def serving() -> Iterator[RtspServer]:
    server = RtspServer()
    with running(server):
        yield server
