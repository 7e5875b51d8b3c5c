"""The page's server: its static files, the model's facts, and the faces in an uploaded picture.

It answers this computer only unless told otherwise, and keeps nothing that is sent to it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import ipaddress
import json
import math
import pathlib
import re
import signal
import urllib.parse
from collections.abc import Callable
from typing import Any

import tornado.httpserver
import tornado.netutil
import tornado.web

from emotion_faces import local_server
from emotion_faces.annotate.faces import check_unsure_below
from emotion_faces.errors import UserError
from emotion_faces.faces.detector import DEFAULT_MIN_FACE_PX, CenterFace
from emotion_faces.model_server import ports
from emotion_faces.web.about import read_about
from emotion_faces.web.annotator import Annotator
from emotion_faces.web.uploads import MAX_UPLOAD_BYTES, UPLOAD_TIMEOUT_SECS, FullError, Gate

DEFAULT_PORT = 8600

_MAX_WAITING = 16  # calls, of which the gate lets in fewer uploads: there is room for the rest
_MAX_BUFFER_BYTES = 1024 * 1024  # of a connection, beside the upload that it may bring
_SESSION_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_STATIC_DIR = pathlib.Path(__file__).parent / "static"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in (
            "page",
            "ask",
            "draw",
            "film",
            "history",
            "kind",
            "pictures",
            "source",
            "stage",
            "timeline",
        )
    },
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
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


# Without this decorator tornado holds up to 32 MiB of any request before its handler hears of it.
@tornado.web.stream_request_body
class _Handler(tornado.web.RequestHandler):
    """What every answer has in common; bodies are let in by _UploadHandler alone."""

    _methods: tuple[str, ...] = ("GET", "HEAD")

    def initialize(self, worker: _Worker, gate: Gate, host: str) -> None:
        self._worker = worker
        self._gate = gate
        self._host = host

    def set_default_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        # Another site's page could reach a loopback server by a host name of its own that points
        # here (DNS rebinding), or by a plain cross-origin POST.
        host = urllib.parse.urlsplit(f"//{self.request.host}").hostname or ""
        origin = self.request.headers.get("Origin")
        if not is_own_host(host, self._host):
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

    def _refuse(self, code: int, text: str) -> None:
        self.set_status(code)
        self.finish({"error": text})

    async def _answer(self, function: Callable[..., Any], *arguments: Any) -> None:
        try:
            answer = await self._worker.run(function, *arguments)
        except _BusyError as error:
            self._refuse(503, str(error))
        except _server_error() as error:
            self._refuse(502, str(error))
        except UserError as error:
            self._refuse(422, str(error))
        else:
            if isinstance(answer, bytes):
                self.set_header("Content-Type", "image/jpeg")
                self.finish(answer)
            else:
                self.set_header("Content-Type", "application/json; charset=utf-8")
                self.finish(json.dumps(answer))


class _FileHandler(_Handler):
    def get(self) -> None:
        name, kind = _FILES[self.request.path]
        self.set_header("Content-Type", kind)
        self.finish((_STATIC_DIR / name).read_bytes())

    head = get


class _ModelHandler(_Handler):
    async def get(self) -> None:
        await self._answer(self._worker.annotator.model)


class _CardHandler(_Handler):
    def get(self) -> None:
        card = self._worker.annotator.card()
        if card:
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(card)
        else:
            self._refuse(404, "the served model's folder has no MODEL_CARD.md")


class _UploadHandler(_Handler):
    """Takes a body in pieces, once the gate has let it in by its stated size."""

    _methods = ("POST",)

    def initialize(self, worker: _Worker, gate: Gate, host: str) -> None:
        super().initialize(worker, gate, host)
        self._pieces: list[bytes] = []
        self._admitted: int | None = None
        self._taken = False

    def prepare(self) -> None:
        super().prepare()
        if self._finished:
            return
        stated = self.request.headers.get("Content-Length", "")
        if not stated.isascii() or not stated.isdigit():
            self._refuse(411, "an upload must state its length: Content-Length is missing")
            return
        try:
            self._gate.enter(int(stated))
        except FullError as error:
            self._refuse(503, str(error))
        else:
            self._admitted = int(stated)

    def data_received(self, chunk: bytes) -> None:
        if self._admitted is not None:
            self._pieces.append(chunk)

    def on_finish(self) -> None:
        self._leave()

    def on_connection_close(self) -> None:
        # A picture that the worker has already is given back when its work is done.
        if not self._taken:
            self._leave()

    async def _answer_upload(self, function: Callable[..., Any], *arguments: Any) -> None:
        data, self._pieces, self._taken = b"".join(self._pieces), [], True
        try:
            await self._answer(function, data, *arguments)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._admitted is not None:
            self._gate.leave(self._admitted)
        self._admitted, self._pieces = None, []


class _PictureHandler(_UploadHandler):
    async def post(self) -> None:
        await self._answer_upload(self._worker.annotator.picture)


class _FacesHandler(_UploadHandler):
    async def post(self) -> None:
        session = self.get_query_argument("session", "")
        try:
            seconds = float(self.get_query_argument("seconds", "0"))
        except ValueError:
            seconds = math.nan
        if session and not _SESSION_NAME.fullmatch(session):
            self._refuse(400, "session must be 1 to 64 letters, digits and hyphens")
        elif not 0 <= seconds < 1e9:
            self._refuse(400, "seconds must be a number from 0 up")
        else:
            await self._answer_upload(self._worker.annotator.faces, session, seconds)


class _NotFoundHandler(_Handler):
    def prepare(self) -> None:
        self._methods = (str(self.request.method),)
        super().prepare()
        if not self._finished:
            self._refuse(404, "there is no such page")


class _BusyError(Exception):
    """More requests are waiting than may."""


class _Worker:
    """Runs one call at a time in a thread, and lets few wait: the detector takes no two."""

    def __init__(self, annotator: Annotator):
        self.annotator = annotator
        self._executor = concurrent.futures.ThreadPoolExecutor(1, "annotate")
        self._waiting = 0

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._waiting >= _MAX_WAITING:
            raise _BusyError(f"{self._waiting} requests are waiting already: try again in a moment")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, function, *arguments)
        finally:
            self._waiting -= 1


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


def make_application(annotator: Annotator, host: str = "127.0.0.1") -> tornado.web.Application:
    """The page's routes; `host` is the address that the server is bound to."""
    settings = {"worker": _Worker(annotator), "gate": Gate(), "host": host}
    return tornado.web.Application(
        [
            *((re.escape(path), _FileHandler, settings) for path in _FILES),
            (r"/api/model", _ModelHandler, settings),
            (r"/api/card", _CardHandler, settings),
            (r"/api/faces", _FacesHandler, settings),
            (r"/api/picture", _PictureHandler, settings),
            (r".*", _NotFoundHandler, settings),
        ],
        log_function=lambda handler: None,
    )


def _print_at_once(line: str) -> None:
    # Python holds back what goes into a pipe, and who waits for the address would wait for ever.
    print(line, flush=True)


def serve(
    server: str | None = None,
    model_dir: pathlib.Path | None = None,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    min_face_px: int = DEFAULT_MIN_FACE_PX,
    unsure_below: float = 0.0,
    announce: Callable[[str], None] = _print_at_once,
) -> None:
    """Serves the page until SIGINT or SIGTERM.

    Args:
      server: HOST:PORT of a model server; it may come up later than the page.
      model_dir: a model folder, in place of a server.
      host: address to bind; anything but loopback opens the page to the network.
      port: 0 for any free one.
      min_face_px: smaller faces are left out.
      unsure_below: faces whose likeliest emotion has a smaller probability count as unsure.
      announce: told the page's address once it answers.

    Raises:
      UserError: the port is none, or is taken, or the model can't be loaded.
    """
    check_unsure_below(unsure_below)
    ports.check("--port", port)
    about = read_about(model_dir)
    with local_server.connect(server, model_dir) as client:
        annotator = Annotator(client, CenterFace(min_face_px=min_face_px), about, unsure_below)
        asyncio.run(_serve(make_application(annotator, host), host, port, announce))


async def _serve(
    application: tornado.web.Application, host: str, port: int, announce: Callable[[str], None]
) -> None:
    try:
        sockets = tornado.netutil.bind_sockets(port, host)
    except OSError as error:
        raise UserError(
            f"the page can't be served at {host}:{port}: {error.strerror}; choose another --port"
        ) from None
    server = tornado.httpserver.HTTPServer(
        application,
        max_body_size=MAX_UPLOAD_BYTES,
        max_buffer_size=_MAX_BUFFER_BYTES,
        body_timeout=UPLOAD_TIMEOUT_SECS,
    )
    server.add_sockets(sockets)
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    name = f"[{host}]" if ":" in host else host
    announce(f"http://{name}:{sockets[0].getsockname()[1]}/")
    await over.wait()
    server.stop()
    await server.close_all_connections()
