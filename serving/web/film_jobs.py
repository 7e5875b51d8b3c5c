"""Films that the page wants marked as the command marks them: one at a time, beside the page's own work."""

from __future__ import annotations

import collections
import dataclasses
import logging
import pathlib
import shutil
import tempfile
import threading
from typing import Any

from emotion_faces.annotate.faces import Classifier, Shot, ask_model
from emotion_faces.annotate.inputs import InputFile
from emotion_faces.annotate.run import Run, Settings
from emotion_faces.annotate.table import FaceTable
from emotion_faces.errors import UserError
from emotion_faces.faces.detector import DEFAULT_MIN_FACE_PX

MAX_FILM_BYTES = 2 * 1024 * 1024 * 1024
MAX_JOBS = 3
"""Films whose copies are held; the oldest goes when another is begun."""

MARKED, CSV, JSON = "marked.mp4", "faces.csv", "faces.json"
KINDS = {MARKED: "video/mp4", CSV: "text/csv; charset=utf-8", JSON: "application/json"}
"""What is made of a film, with its media type."""


class BusyError(Exception):
    """A film is being marked already."""


@dataclasses.dataclass
class Job:
    """A film under way or done.

    Attributes:
      name: Of the film, as tables call it.
      folder: Holds the film until it is marked, and what is made of it.
      unsure_below: See `annotate.run.Settings`.
      state: `upload`, `running`, `done`, or `failed`.
      error: What is wrong with the film; where the job is done, what of it could not be read.
    """

    name: str
    folder: pathlib.Path
    unsure_below: float
    state: str = "upload"
    error: str = ""
    run: Run | None = None
    stopped: threading.Event = dataclasses.field(default_factory=threading.Event)

    @property
    def film(self) -> pathlib.Path:
        """Where the upload goes."""
        return self.folder / "film"

    def fields(self) -> dict[str, Any]:
        """How far it is, for the page."""
        run = self.run
        return {
            "state": self.state,
            "error": self.error,
            "frames": run.summary.frames if run else 0,
            "of": run.film_frames if run else 0,
        }


class FilmJobs:
    """The films that the page wants marked; a context manager, which ends what is under way.

    Args:
      classifier: Asks the model.
      min_face_px: Smaller faces are left out.
    """

    def __init__(self, classifier: Classifier, min_face_px: int = DEFAULT_MIN_FACE_PX):
        self._classifier = classifier
        self._min_face_px = min_face_px
        self._jobs: collections.OrderedDict[str, Job] = collections.OrderedDict()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> FilmJobs:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for name in list(self._jobs):
            self.drop(name)
        for thread in self._threads:
            thread.join()

    def begin(self, job: str, name: str, unsure_below: float) -> Job:
        """Makes room for a film's upload.

        Raises:
          BusyError: Another is on its way or being marked.
        """
        if any(one.state in ("upload", "running") for one in self._jobs.values()):
            raise BusyError("another film is being marked already: try again when it is done")
        self.drop(job)
        while len(self._jobs) >= MAX_JOBS:
            self.drop(next(iter(self._jobs)))
        folder = pathlib.Path(tempfile.mkdtemp(prefix="emotion-web-"))
        self._jobs[job] = Job(name, folder, unsure_below)
        return self._jobs[job]

    def start(self, job: Job) -> None:
        """Begins the work on a film that has been uploaded."""
        job.state = "running"
        thread = threading.Thread(target=self._work, args=(job,), name="film")
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def get(self, job: str) -> Job | None:
        """Returns a job; None where there is none, or none any more."""
        return self._jobs.get(job)

    def drop(self, job: str) -> None:
        """Ends a job and deletes what there is of it."""
        found = self._jobs.pop(job, None)
        if found is None:
            return
        found.stopped.set()
        if found.state != "running":  # else the thread deletes it, once it has closed its files
            shutil.rmtree(found.folder, ignore_errors=True)

    def _work(self, job: Job) -> None:
        try:
            self._mark(job)
        except UserError as error:
            job.state, job.error = "failed", str(error)
        except Exception:
            logging.getLogger(__name__).exception("a film could not be marked")
            job.state, job.error = "failed", "the server failed; its own output tells more"
        job.film.unlink(missing_ok=True)
        if job.stopped.is_set():
            shutil.rmtree(job.folder, ignore_errors=True)

    def _mark(self, job: Job) -> None:
        labels = ask_model(self._classifier).labels
        settings = Settings(min_face_px=self._min_face_px, unsure_below=job.unsure_below)
        tables = [FaceTable(job.folder / name, labels) for name in (CSV, JSON)]
        with tables[0], tables[1]:
            run = Run(settings, self._classifier, labels, _Both(tables), job.stopped)
            job.run = run
            run.film(InputFile(job.film, job.folder / MARKED, is_film=True, shown=job.name))
        why = "; ".join(reason for _, reason in run.summary.failures)
        job.error = why.replace(str(job.film), job.name)
        job.state = "done" if (job.folder / MARKED).is_file() else "failed"


class _Both:
    """Tables that get the same rows."""

    def __init__(self, tables: list[FaceTable]):
        self._tables = tables

    def write(self, shot: Shot) -> None:
        for table in self._tables:
            table.write(shot)
