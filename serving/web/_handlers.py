"""How each of the page's addresses answers."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import json
import math
import pathlib
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

import tornado.http1connection
import tornado.web

from emotion_faces.annotate.faces import check_unsure_below
from emotion_faces.errors import UserError
from emotion_faces.web.film_jobs import FilmJobs
from emotion_faces.web.kept import KeptResults
from emotion_faces.web.uploads import MAX_UPLOAD_BYTES, FullError, Gate
from emotion_faces.web.worker import BusyError, Worker

NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
"""What the page may call a film, a camera, a job or a result."""

_STATIC_DIR = pathlib.Path(__file__).parent / "static"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}
_START = "index.html"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Server": "emotion",
}


@dataclasses.dataclass(frozen=True)
class Served:
    """What the handlers share.

    Attributes:
      worker: Runs what the page asks of detector and model.
      films: The films that are being marked.
      kept: Results that have an address.
      gate: Lets uploads in.
      host: The address that the server is bound to.
    """

    worker: Worker
    films: FilmJobs
    kept: KeptResults
    gate: Gate
    host: str


@functools.cache
def static_paths() -> dict[str, pathlib.Path]:
    """The page's own files by their addresses."""
    files = [path for path in sorted(_STATIC_DIR.iterdir()) if path.suffix in _KINDS]
    return {"/" if path.name == _START else f"/{path.name}": path for path in files}


# Without this decorator tornado holds up to 32 MiB of any request before its handler hears of it.
@tornado.web.stream_request_body
class Handler(tornado.web.RequestHandler):
    """What every answer has in common; bodies are let in by UploadHandler alone."""

    _methods: tuple[str, ...] = ("GET", "HEAD")

    def initialize(self, served: Served) -> None:
        self._served = served
        self._worker = served.worker

    def set_default_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        # Another site's page could reach a loopback server by a host name of its own that points
        # here (DNS rebinding), or by a plain cross-origin POST.
        host = urllib.parse.urlsplit(f"//{self.request.host}").hostname or ""
        origin = self.request.headers.get("Origin")
        if not is_own_host(host, self._served.host):
            self._refuse(421, f"this server does not answer for the host name {host!r}")
        elif origin and urllib.parse.urlsplit(origin).netloc != self.request.host:
            self._refuse(403, "requests from pages of another origin are refused")
        elif self.request.method not in self._methods:
            # Before the body: tornado would look at the method after it.
            self._refuse(405, f"this address takes {' and '.join(self._methods)} only")

    def data_received(self, chunk: bytes) -> None:
        """Drops what nobody asked for."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self._refuse(status_code, self._reason)

    def _unsure_below(self) -> float | None:
        """Reads the query's bound; None after it refused one that is no probability."""
        try:
            below = float(self.get_query_argument("unsure_below", "0"))
            check_unsure_below(below)
        except (ValueError, UserError):
            self._refuse(400, "unsure_below must be a probability, 0 to 1")
            return None
        return below

    def _stated_length(self) -> int | None:
        """Reads how long the body is said to be; None after it refused one that does not say."""
        stated = self.request.headers.get("Content-Length", "")
        if not stated.isascii() or not stated.isdigit():
            self._refuse(411, "an upload must state its length: Content-Length is missing")
            return None
        return int(stated)

    def _refuse(self, code: int, text: str) -> None:
        self.set_status(code)
        self.finish({"error": text})

    async def _answer(self, function: Callable[..., Any], *arguments: Any) -> None:
        try:
            answer = await self._worker.run(function, *arguments)
        except BusyError as error:
            self._refuse(503, str(error))
        except _server_error() as error:
            self._refuse(502, str(error))
        except UserError as error:
            self._refuse(422, str(error))
        else:
            if isinstance(answer, bytes):
                is_png = answer.startswith(b"\x89PNG")
                self.set_header("Content-Type", "image/png" if is_png else "image/jpeg")
                self.finish(answer)
            else:
                self.set_header("Content-Type", "application/json; charset=utf-8")
                self.finish(json.dumps(answer))


class FileHandler(Handler):
    def get(self) -> None:
        path = static_paths()[self.request.path]
        self.set_header("Content-Type", _KINDS[path.suffix])
        self.finish(path.read_bytes())

    head = get


class ModelHandler(Handler):
    async def get(self) -> None:
        await self._answer(self._worker.annotator.model)


class CardHandler(Handler):
    def get(self) -> None:
        card = self._worker.annotator.card()
        if card:
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(card)
        else:
            self._refuse(404, "the served model's folder has no MODEL_CARD.md")


class UploadHandler(Handler):
    """Takes a body in pieces, once the gate has let it in by its stated size."""

    _methods: tuple[str, ...] = ("POST",)

    def initialize(self, served: Served) -> None:
        super().initialize(served)
        self._pieces: list[bytes] = []
        self._admitted: int | None = None
        self._taken = False

    def prepare(self) -> None:
        super().prepare()
        if self._finished:
            return
        length = self._stated_length()
        if length is None:
            return
        if length > MAX_UPLOAD_BYTES:
            self._refuse(
                413, f"an upload has {MAX_UPLOAD_BYTES:,} bytes at most, and this one {length:,}"
            )
            return
        try:
            self._served.gate.enter(length)
        except FullError as error:
            self._refuse(503, str(error))
        else:
            self._admitted = length

    def data_received(self, chunk: bytes) -> None:
        if self._admitted is not None:
            self._pieces.append(chunk)

    def on_finish(self) -> None:
        self._leave()

    def on_connection_close(self) -> None:
        super().on_connection_close()  # ends the task that waits for the body
        # A picture that the worker has already is given back when its work is done.
        if not self._taken:
            self._leave()

    def _number(self, name: str, default: str = "") -> float:
        """Reads a number of the query; NaN where it is none."""
        try:
            return float(self.get_query_argument(name, default))
        except ValueError:
            return math.nan

    async def _answer_upload(self, function: Callable[..., Any], *arguments: Any) -> None:
        data, self._pieces, self._taken = b"".join(self._pieces), [], True
        try:
            await self._answer(function, data, *arguments)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._admitted is not None:
            self._served.gate.leave(self._admitted)
        self._admitted, self._pieces = None, []


class PictureHandler(UploadHandler):
    async def post(self) -> None:
        await self._answer_upload(self._worker.annotator.picture)


class FacesHandler(UploadHandler):
    async def post(self) -> None:
        session = self.get_query_argument("session", "")
        seconds = self._number("seconds", "0")
        if session and not NAME.fullmatch(session):
            self._refuse(400, "session must be 1 to 64 letters, digits and hyphens")
        elif not 0 <= seconds < 1e9:
            self._refuse(400, "seconds must be a number from 0 up")
        else:
            await self._answer_upload(self._worker.annotator.faces, session, seconds)


class ExplainHandler(UploadHandler):
    async def post(self) -> None:
        x, y = self._number("x"), self._number("y")
        if 0 <= x <= 1 and 0 <= y <= 1:
            emotion = self.get_query_argument("emotion", "") or None
            await self._answer_upload(self._worker.annotator.explain, x, y, emotion)
        else:
            self._refuse(400, "x and y must say where the face is: numbers from 0 to 1")


class MarkedHandler(UploadHandler):
    async def post(self) -> None:
        below = self._unsure_below()
        if below is not None:
            is_jpeg = self.get_query_argument("kind", "jpeg") == "jpeg"
            await self._answer_upload(self._worker.annotator.marked, is_jpeg, below)


class ResultHandler(UploadHandler):
    """A result under the name that the page chose: POST keeps what the page sent, GET gives it back."""

    _methods = ("GET", "POST")

    def prepare(self) -> None:
        if self.request.method == "POST":
            super().prepare()
        else:
            Handler.prepare(self)

    def get(self, name: str) -> None:
        found = self._served.kept.get(name)
        if found is None:
            self._refuse(
                404,
                "this result is not kept any more: the server began anew, or others took its room",
            )
            return
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(found)

    def post(self, name: str) -> None:
        data = b"".join(self._pieces)
        self._leave()
        if self._served.kept.put(name, data):
            self.finish({})
        else:
            self._refuse(413, f"a result of {len(data)} bytes is too large to be kept")


class NotFoundHandler(Handler):
    def prepare(self) -> None:
        self._methods = (str(self.request.method),)
        super().prepare()
        if not self._finished:
            self._refuse(404, "there is no such page")


def _server_error() -> type[UserError]:
    from emotion_faces.client import CallError

    return CallError


def is_own_host(name: str, bound: str) -> bool:
    """Whether a request's Host may be answered by a server bound to address `bound`.

    A server that the user opened to the network answers for any name; on loopback, for that alone.
    """
    if not _is_loopback(bound):
        return True
    return name == bound or _is_loopback(name)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
