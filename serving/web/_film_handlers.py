"""How the addresses of films answer: a film comes, is asked after, and its copy goes."""

from __future__ import annotations

from typing import BinaryIO, cast

import tornado.http1connection

from emotion_faces.web._handlers import Handler, Served
from emotion_faces.web.film_jobs import KINDS, MAX_FILM_BYTES, BusyError, Job

_FILM_TIMEOUT_SECS = 3600
_PIECE_BYTES = 1024 * 1024


class FilmHandler(Handler):
    """A film to mark: POST brings it, GET tells how far it is, DELETE ends it."""

    _methods = ("GET", "POST", "DELETE")

    def initialize(self, served: Served) -> None:
        super().initialize(served)
        self._job: Job | None = None
        self._file: BinaryIO | None = None

    def prepare(self) -> None:
        super().prepare()
        if self._finished or self.request.method != "POST":
            return
        below = self._unsure_below()
        if below is None:
            return
        length = self._stated_length()
        if length is None:
            return
        if length > MAX_FILM_BYTES:
            self._refuse(413, f"the film is larger than {MAX_FILM_BYTES // 1024**3} GiB")
        else:
            self._begin(below)

    def _begin(self, below: float) -> None:
        name = self.get_query_argument("name", "film")
        try:
            self._job = self._served.films.begin(self.path_kwargs["job"], name, below)
        except BusyError as error:
            self._refuse(503, str(error))
            return
        self._file = self._job.film.open("wb")
        connection = cast(tornado.http1connection.HTTP1Connection, self.request.connection)
        connection.set_max_body_size(MAX_FILM_BYTES)
        connection.set_body_timeout(_FILM_TIMEOUT_SECS)

    def data_received(self, chunk: bytes) -> None:
        if self._file is None:
            return
        try:
            self._file.write(chunk)
        except OSError as error:
            self._drop()
            self._refuse(507, f"the film can't be held: {error.strerror}")

    def post(self, job: str) -> None:
        if self._file is None or self._job is None:
            return
        self._file.close()
        self._file = None
        self._served.films.start(self._job)
        self.finish(self._job.fields())

    def get(self, job: str) -> None:
        found = self._served.films.get(job)
        if found is None:
            self._refuse(404, "there is no such film any more")
        else:
            self.finish(found.fields())

    def delete(self, job: str) -> None:
        self._served.films.drop(job)
        self.finish({})

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._drop()

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._served.films.drop(self.path_kwargs["job"])


class FilmFileHandler(Handler):
    async def get(self, job: str, name: str) -> None:
        found = self._served.films.get(job)
        path = found.folder / name if found else None
        if found is None or path is None or found.state != "done" or not path.is_file():
            self._refuse(404, "there is no such film any more")
            return
        self.set_header("Content-Type", KINDS[name])
        self.set_header("Content-Length", str(path.stat().st_size))
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                self.write(piece)
                await self.flush()
