"""The page's server: its static files, the model's facts, and the faces in an uploaded picture.

It answers this computer only unless told otherwise, and keeps nothing longer than it runs.
"""

from __future__ import annotations

import asyncio
import pathlib
import re
import signal
from collections.abc import Callable

import tornado.httpserver
import tornado.netutil
import tornado.web

from emotion_faces import local_server
from emotion_faces.annotate.faces import check_unsure_below
from emotion_faces.errors import UserError
from emotion_faces.faces.detector import DEFAULT_MIN_FACE_PX, CenterFace
from emotion_faces.model_server import ports
from emotion_faces.web import _film_handlers, _handlers
from emotion_faces.web.about import read_about
from emotion_faces.web.annotator import Annotator
from emotion_faces.web.film_jobs import KINDS, FilmJobs
from emotion_faces.web.kept import KeptResults
from emotion_faces.web.uploads import MAX_UPLOAD_BYTES, UPLOAD_TIMEOUT_SECS, Gate
from emotion_faces.web.worker import Worker

DEFAULT_PORT = 8600
_MAX_BUFFER_BYTES = 1024 * 1024  # of a connection, beside the upload that it may bring


def make_application(
    annotator: Annotator, films: FilmJobs, host: str = "127.0.0.1"
) -> tornado.web.Application:
    """The page's routes; `host` is the address that the server is bound to."""
    served = _handlers.Served(Worker(annotator), films, KeptResults(), Gate(), host)
    name, settings = _handlers.NAME.pattern, {"served": served}
    return tornado.web.Application(
        [
            *(
                (re.escape(path), _handlers.FileHandler, settings)
                for path in _handlers.static_paths()
            ),
            (r"/api/model", _handlers.ModelHandler, settings),
            (r"/api/card", _handlers.CardHandler, settings),
            (r"/api/faces", _handlers.FacesHandler, settings),
            (r"/api/explain", _handlers.ExplainHandler, settings),
            (r"/api/picture", _handlers.PictureHandler, settings),
            (r"/api/marked", _handlers.MarkedHandler, settings),
            (rf"/api/results/(?P<name>{name})", _handlers.ResultHandler, settings),
            (rf"/api/films/(?P<job>{name})", _film_handlers.FilmHandler, settings),
            (
                rf"/api/films/(?P<job>{name})/(?P<name>{'|'.join(map(re.escape, KINDS))})",
                _film_handlers.FilmFileHandler,
                settings,
            ),
            (r".*", _handlers.NotFoundHandler, settings),
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
    tls_ca: pathlib.Path | None = None,
) -> None:
    """Serves the page until SIGINT or SIGTERM.

    Args:
      server: HOST:PORT of a model server; it may come up later than the page.
      model_dir: A model folder, in place of a server.
      host: Address to bind; anything but loopback opens the page to the network.
      port: 0 for any free one.
      min_face_px: Smaller faces are left out.
      unsure_below: Faces whose likeliest emotion has a smaller probability count as unsure.
      announce: Told the page's address once it answers.
      tls_ca: PEM certificates that a model server with TLS is known by.

    Raises:
      UserError: The port is none, or is taken, or the model can't be loaded.
    """
    check_unsure_below(unsure_below)
    ports.check("--port", port)
    about = read_about(model_dir)
    with (
        local_server.connect(server, model_dir, tls_ca=tls_ca) as client,
        FilmJobs(client, min_face_px) as films,
    ):
        annotator = Annotator(client, CenterFace(min_face_px=min_face_px), about, unsure_below)
        asyncio.run(_serve(make_application(annotator, films, host), host, port, announce))


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
