"""The page's server: three static files, the model's facts, and the faces in an uploaded picture.

It answers this computer only unless told otherwise, and keeps nothing that is sent to it.
"""

from __future__ import annotations

import asyncio
import collections
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
from emotion_faces.annotate.draw import colour_of
from emotion_faces.annotate.faces import Classifier, FaceEmotion, Shot, ask_model, find_emotions
from emotion_faces.annotate.track import Tracker
from emotion_faces.errors import UserError
from emotion_faces.faces.detector import DEFAULT_MIN_FACE_PX, CenterFace, FaceDetector
from emotion_faces.faces.pictures import decode_picture

DEFAULT_PORT = 8600
MAX_UPLOAD_BYTES = 32 * 1024 * 1024

_MAX_WAITING = 8  # pictures; more are refused, so that a flood costs no memory
_MAX_SESSIONS = 64  # films and cameras whose faces are followed at a time
_SESSION_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_STATIC_DIR = pathlib.Path(__file__).parent / "static"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
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


class Annotator:
    """Answers the page's questions; its work is done in one thread, a picture at a time.

    Args:
      classifier: asks the model.
      detector: finds faces.
      metrics: what the model's folder says of its quality; empty where that is unknown.
    """

    def __init__(self, classifier: Classifier, detector: FaceDetector, metrics: dict[str, float]):
        self._classifier = classifier
        self._detector = detector
        self._metrics = metrics
        self._trackers: collections.OrderedDict[str, Tracker] = collections.OrderedDict()

    def model(self) -> dict[str, Any]:
        """The model's facts, for the page's head."""
        facts = ask_model(self._classifier)
        return {
            "version": facts.version,
            "accuracy": self._metrics.get("accuracy"),
            "macro_f1": self._metrics.get("macro_f1"),
            "labels": [
                {"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*colour_of(index))}
                for index, name in enumerate(facts.labels)
            ],
        }

    def faces(self, data: bytes, session: str = "", seconds: float = 0.0) -> dict[str, Any]:
        """The faces in an encoded picture.

        Args:
          data: the picture.
          session: names a film or a camera, whose faces are followed and smoothed; "" for none.
          seconds: the frame's time in that film.

        Raises:
          UserError: the picture can't be read, or the model server does not answer.
        """
        image = decode_picture(data)
        [shot] = find_emotions([Shot(image)], self._detector, self._classifier)
        faces = self._tracker(session).update(shot.faces, seconds) if session else shot.faces
        height, width = image.shape[:2]
        return {"width": width, "height": height, "faces": [_face_fields(face) for face in faces]}

    def _tracker(self, session: str) -> Tracker:
        tracker = self._trackers.pop(session, None) or Tracker()
        self._trackers[session] = tracker
        if len(self._trackers) > _MAX_SESSIONS:
            self._trackers.popitem(last=False)
        return tracker


def _face_fields(face: FaceEmotion) -> dict[str, Any]:
    box = face.box
    return {
        "left": round(box.left, 1),
        "top": round(box.top, 1),
        "width": round(box.width, 1),
        "height": round(box.height, 1),
        "track": face.track,
        "label": face.label,
        "probabilities": {name: round(value, 4) for name, value in face.probabilities.items()},
        "model_version": face.model_version,
    }


class _Handler(tornado.web.RequestHandler):
    """What every answer has in common."""

    def initialize(self, worker: _Worker, host: str) -> None:
        self._worker = worker
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

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self._refuse(status_code, self._reason)

    def _refuse(self, code: int, text: str) -> None:
        self.set_status(code)
        self.finish({"error": text})

    async def _answer(self, function: Callable[..., dict[str, Any]], *arguments: Any) -> None:
        try:
            answer = await self._worker.run(function, *arguments)
        except _BusyError as error:
            self._refuse(503, str(error))
        except _server_error() as error:
            self._refuse(502, str(error))
        except UserError as error:
            self._refuse(422, str(error))
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


class _FacesHandler(_Handler):
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
            data = self.request.body
            await self._answer(self._worker.annotator.faces, data, session, seconds)


class _NotFoundHandler(_Handler):
    def prepare(self) -> None:
        super().prepare()
        if not self._finished:
            self._refuse(404, "there is no such page")


class _BusyError(Exception):
    """More pictures are waiting than may."""


class _Worker:
    """Runs one call at a time in a thread, and lets few wait: the detector takes no two."""

    def __init__(self, annotator: Annotator):
        self.annotator = annotator
        self._executor = concurrent.futures.ThreadPoolExecutor(1, "annotate")
        self._waiting = 0

    async def run(self, function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
        if self._waiting >= _MAX_WAITING:
            raise _BusyError(f"{self._waiting} pictures are waiting already: try again in a moment")
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
    settings = {"worker": _Worker(annotator), "host": host}
    return tornado.web.Application(
        [
            *((re.escape(path), _FileHandler, settings) for path in _FILES),
            (r"/api/model", _ModelHandler, settings),
            (r"/api/faces", _FacesHandler, settings),
            (r".*", _NotFoundHandler, settings),
        ],
        log_function=lambda handler: None,
    )


def read_metrics(model_dir: pathlib.Path | None) -> dict[str, float]:
    """The numbers in the model's `assets.extra/metrics.json`; empty where there are none."""
    if model_dir is None:
        return {}
    path = local_server.newest_version(model_dir) / "assets.extra" / "metrics.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read: {error}") from None
    return {name: value for name, value in metrics.items() if isinstance(value, float)}


def _print_at_once(line: str) -> None:
    # Python holds back what goes into a pipe, and who waits for the address would wait for ever.
    print(line, flush=True)


def serve(
    server: str | None = None,
    model_dir: pathlib.Path | None = None,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    min_face_px: int = DEFAULT_MIN_FACE_PX,
    announce: Callable[[str], None] = _print_at_once,
) -> None:
    """Serves the page until SIGINT or SIGTERM.

    Args:
      server: HOST:PORT of a model server; it may come up later than the page.
      model_dir: a model folder, in place of a server.
      host: address to bind; anything but loopback opens the page to the network.
      port: 0 for any free one.
      min_face_px: smaller faces are left out.
      announce: told the page's address once it answers.

    Raises:
      UserError: the port is taken, or the model can't be loaded.
    """
    metrics = read_metrics(model_dir)
    with local_server.connect(server, model_dir) as client:
        annotator = Annotator(client, CenterFace(min_face_px=min_face_px), metrics)
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
        application, max_body_size=MAX_UPLOAD_BYTES, max_buffer_size=MAX_UPLOAD_BYTES
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
