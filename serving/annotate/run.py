"""What `emotion annotate` does: files and folders in, marked copies and a table out."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import io
import math
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np

from emotion_faces import local_server
from emotion_faces.annotate import inputs
from emotion_faces.annotate.draw import draw_faces
from emotion_faces.annotate.faces import (
    Classifier,
    Shot,
    ask_model,
    check_unsure_below,
    find_emotions,
    mark_unsure,
)
from emotion_faces.annotate.film import FilmReader
from emotion_faces.annotate.film_writer import FilmWriter
from emotion_faces.annotate.image import read_picture
from emotion_faces.annotate.progress import Progress
from emotion_faces.annotate.table import FaceTable, RowSink, check_suffix
from emotion_faces.annotate.timeline import Timeline
from emotion_faces.annotate.track import Tracker
from emotion_faces.errors import UsageError, UserError
from emotion_faces.faces.any_turn import AnyTurn
from emotion_faces.faces.detector import DEFAULT_MIN_FACE_PX, CenterFace, FaceDetector
from emotion_faces.faces.region import InRegion, Region
from emotion_faces.names import printable
from emotion_faces.notes import tell_aside
from emotion_faces.urls import NO_URLS, UrlPolicy

_MAX_STREAM_SECS = 3600.0
_CLOCK_FACTOR = 10  # a stream may drip, and this machine be slower than it
_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg"})


@dataclasses.dataclass
class Summary:
    """What came of a run; `failures` are (file, reason), `ignored` are neither picture nor film."""

    pictures: int = 0
    films: int = 0
    frames: int = 0
    faces: int = 0
    failures: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    ignored: int = 0
    interrupted: bool = False

    @property
    def exit_status(self) -> int:
        """0; 1 if a file failed; 130, as shells have it, after Ctrl-C."""
        return 130 if self.interrupted else int(bool(self.failures))

    def __str__(self) -> str:
        text = (
            f"{_counted(self.faces, 'face')} in {_counted(self.pictures, 'picture')} and "
            f"{_counted(self.films, 'film')} ({_counted(self.frames, 'frame')})"
        )
        if self.failures:
            text += f"; {_counted(len(self.failures), 'file')} failed"
        if self.ignored:
            are = "is" if self.ignored == 1 else "are"
            text += f"; {_counted(self.ignored, 'file')} that {are} neither picture nor film passed over"
        return text + ("; stopped early" if self.interrupted else "")


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing if number == 1 else f'{thing}s'}"


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to annotate.

    Attributes:
      every: Of a film, frames 0, every, 2 * every... are analysed; those between keep their marks.
      smooth: Probabilities of a film's face are averaged over time; False for each frame's own.
      min_face_px: Smaller faces are left out.
      unsure_below: Faces whose likeliest emotion has a smaller probability are labelled `unsure`.
      region: Where faces are looked for; None for the whole picture.
      max_secs: Of each film, no more is annotated; of a stream, an hour where this is None.
      urls: Which URLs may be opened.
    """

    every: int = 1
    smooth: bool = True
    min_face_px: int = DEFAULT_MIN_FACE_PX
    unsure_below: float = 0.0
    region: Region | None = None
    max_secs: float | None = None
    urls: UrlPolicy = NO_URLS

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"--every is {self.every}; it must be 1 or more")
        if self.min_face_px < 1:
            raise UsageError(f"--min-face-px is {self.min_face_px}; it must be 1 or more")
        if self.max_secs is not None and not self.max_secs > 0:
            raise UsageError(f"--max-secs is {self.max_secs}; it must be more than 0")
        check_unsure_below(self.unsure_below)

    def detector(self, any_turn: bool = False) -> FaceDetector:
        """Makes the detector; one for films, or one that turns pictures where that finds more."""
        detector: FaceDetector = CenterFace(min_face_px=self.min_face_px)
        if any_turn:
            detector = AnyTurn(detector)
        return InRegion(detector, self.region) if self.region else detector


DEFAULT_SETTINGS = Settings()


def annotate(
    paths: Sequence[pathlib.Path | str],
    out_dir: pathlib.Path,
    table_path: pathlib.Path | None = None,
    server: str | None = None,
    model_dir: pathlib.Path | None = None,
    settings: Settings = DEFAULT_SETTINGS,
    tls_ca: pathlib.Path | None = None,
) -> Summary:
    """Annotates pictures and films, and folders of them.

    A file that can't be read is reported on stderr and in the summary; the others are done. On
    Ctrl-C the film that is under way is closed as far as it came, and so is the table.

    Args:
      paths: Files and folders; a text is a URL.
      out_dir: Where the marked copies go; made if need be. Nothing that exists is written over.
      table_path: A `.csv`, `.json` or `.parquet` file to make; None for `faces.csv` in `out_dir`.
      server: HOST:PORT of a model server.
      model_dir: A model folder, in place of a server.
      settings: See Settings.
      tls_ca: PEM certificates that a server with TLS is known by.

    Raises:
      UserError: A path does not exist, an output exists already, the table's suffix is none of a
        table's, or no server answers.
    """
    table_path = table_path or out_dir / "faces.csv"
    check_suffix(table_path)
    here = [path for path in paths if isinstance(path, pathlib.Path)]
    urls = [path for path in paths if isinstance(path, str)]
    with contextlib.ExitStack() as stack:
        files, ignored = inputs.collect(here, out_dir) if here or not urls else ([], 0)
        if urls:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="emotion-"))
            place = pathlib.Path(folder)
            files += inputs.collect_urls(urls, out_dir, settings.urls, place, stack)
        inputs.check_outputs(files, table_path)
        model = stack.enter_context(local_server.connect(server, model_dir, tls_ca=tls_ca))
        stopped = stack.enter_context(stop_on_interrupt())
        labels = ask_model(model).labels
        out_dir.mkdir(parents=True, exist_ok=True)
        table_path.parent.mkdir(parents=True, exist_ok=True)
        table = stack.enter_context(FaceTable(table_path, labels))
        run = Run(settings, model, labels, table, stopped)
        run.summary.ignored = ignored
        run.pictures([file for file in files if not file.is_film])
        for file in files:
            if file.is_film and not stopped.is_set():
                run.film(file)
        run.summary.interrupted = stopped.is_set()
        return run.summary


class Run:
    """Marks pictures and films one after the other; `summary` tells how far it is.

    Args:
      settings: See Settings.
      classifier: Asks the model.
      labels: The model's class names.
      table: Gets a row for each face.
      stopped: Once it is set, what is under way is closed as far as it came.
    """

    def __init__(
        self,
        settings: Settings,
        classifier: Classifier,
        labels: Sequence[str],
        table: RowSink,
        stopped: threading.Event,
    ):
        self._settings = settings
        self._classifier = classifier
        self._labels = labels
        self._table = table
        self._stopped = stopped
        self._cut_short = False
        self.summary = Summary()
        self.film_frames = 0  # that the film under way may have; 0 where nobody knows

    def pictures(self, files: Sequence[inputs.InputFile]) -> None:
        """Marks pictures."""
        with Progress("pictures", len(files), "pictures") as progress:
            detector = self._settings.detector(any_turn=True)
            read: collections.deque[inputs.InputFile] = collections.deque()
            shots = self._read_all(files, read, progress)
            for shot in find_emotions(shots, detector, self._classifier):
                target = read.popleft().target  # not by its name, which two files may have
                shot.faces = mark_unsure(shot.faces, self._settings.unsure_below)
                draw_faces(shot.image, shot.faces, self._settings.region)
                try:
                    write_picture(target, shot)
                except OSError as error:
                    self._fail(shot.name, f"the marked copy can't be written: {error.strerror}")
                    continue
                self._table.write(shot)
                self.summary.pictures += 1
                self.summary.faces += len(shot.faces)

    def film(self, file: inputs.InputFile) -> None:
        """Marks a film; what is wrong with it is in the summary."""
        try:
            self._film(file)
        except UserError as error:
            self._fail(file.name, str(error))

    def _film(self, file: inputs.InputFile) -> None:
        tracker = Tracker(self._settings.smooth)
        timeline = Timeline(self._labels)
        with FilmReader(file.stream or file.path) as film:
            self.film_frames = film.frame_count
            if self._settings.region:
                self._settings.region.check(film.width, film.height, file.name)
            file.target.parent.mkdir(parents=True, exist_ok=True)
            shots = self._until_stopped(film.frames(self._settings.every), file.stream is not None)
            sound_from = None if file.stream else file.path
            with (
                FilmWriter(file.target, film.width, film.height, film.fps, sound_from) as writer,
                Progress(printable(file.path.name), film.frame_count, "frames") as progress,
            ):
                faces = []
                detector = self._settings.detector()
                for shot in find_emotions(shots, detector, self._classifier):
                    if shot.analysed:
                        faces = tracker.update(shot.faces, shot.seconds)
                        shot.faces = faces = mark_unsure(faces, self._settings.unsure_below)
                        shot.name = file.name
                        self._table.write(shot)
                        timeline.add(faces, shot.seconds)
                        self.summary.faces += len(faces)
                    draw_faces(shot.image, faces, self._settings.region)
                    writer.write(shot.image, shot.seconds)
                    self.summary.frames += 1
                    progress.advance()
                if not self._cut_short:
                    writer.write_rest_of_sound()
            self.summary.films += 1
            self._plot(timeline, file)
            if file.stream and not (film.frame_count or film.damage or self._cut_short):
                # Its length is not stated: whether there should have been more, only the user knows.
                told = f"its server ended it after {film.seconds_read:.1f} s"
                print(f"{file.name}: {told}", file=sys.stderr)
            if film.damage or writer.sound_damage:
                told = "; ".join([*film.damage, *writer.sound_damage])
                self._fail(file.name, f"{told}: the copy holds the rest")

    def _plot(self, timeline: Timeline, file: inputs.InputFile) -> None:
        try:
            unplotted = timeline.save(file.plot, printable(file.path.name))
        except OSError as error:
            file.plot.unlink(missing_ok=True)
            reason = error.strerror or error
            self._fail(
                file.name, f"{printable(file.plot)} can't be written: {reason}; the copy is whole"
            )
            return
        if unplotted:
            print(f"{file.name}: {unplotted}", file=sys.stderr)

    def _read_all(
        self,
        files: Sequence[inputs.InputFile],
        read: collections.deque[inputs.InputFile],
        progress: Progress,
    ) -> Iterator[Shot]:
        """Yields a shot of each picture that can be read, and adds its file to `read`."""
        for file in files:
            if self._stopped.is_set():
                return
            try:
                image = read_picture(file.path, tell_aside)
                if self._settings.region:
                    self._settings.region.check(image.shape[1], image.shape[0], file.name)
                read.append(file)
                yield Shot(image, file.name)
            except UserError as error:
                self._fail(file.name, str(error))
            progress.advance()

    def _until_stopped(self, shots: Iterator[Shot], is_stream: bool) -> Iterator[Shot]:
        """Ends early at Ctrl-C and after the seconds allowed; a stream also after ten times as many by the clock."""
        limit = self._settings.max_secs or (_MAX_STREAM_SECS if is_stream else math.inf)
        start = time.monotonic()
        self._cut_short = False
        for shot in shots:
            late = is_stream and time.monotonic() - start >= _CLOCK_FACTOR * limit
            over = late or shot.seconds >= limit
            if over or self._stopped.is_set():
                self._cut_short = True
                return
            yield shot

    def _fail(self, path: str, reason: str) -> None:
        name = printable(path)
        self.summary.failures.append((name, reason))
        tell_aside(reason if name in reason else f"{name}: {reason}")


def write_picture(path: pathlib.Path, shot: Shot) -> None:
    """Writes the shot's image, as a JPEG or a PNG by the path's suffix.

    Raises:
      OSError: It can't be written, or the file exists.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = encode_picture(shot.image, is_jpeg=path.suffix.lower() in _JPEG_SUFFIXES)
    with path.open("xb") as file:
        try:
            file.write(encoded)
            file.flush()
        except OSError:
            path.unlink()  # a part of it is no picture, and would be in the next try's way
            raise


def encode_picture(image: np.ndarray, is_jpeg: bool) -> bytes:
    """Encodes uint8 RGB [height, width, 3] as marked copies are: a JPEG, else a PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG" if is_jpeg else "PNG", quality=92)
    return file.getvalue()


@contextlib.contextmanager
def stop_on_interrupt() -> Iterator[threading.Event]:
    """Sets the event at the first Ctrl-C or SIGTERM; the second one acts as ever."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped  # only the main thread may handle signals
        return
    signals = (signal.SIGINT, signal.SIGTERM)  # a film that is under way must be closed to play
    before = {number: signal.getsignal(number) for number in signals}

    def stop(number: int, frame: object) -> None:
        stopped.set()
        restore()
        os.write(2, b"\nstopping: closing what is open (Ctrl-C again to break off)\n")

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in signals:
        signal.signal(number, stop)
    try:
        yield stopped
    finally:
        restore()
