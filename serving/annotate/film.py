"""Reads and writes films frame by frame."""

from __future__ import annotations

import os
import pathlib
import subprocess
import tempfile
import types
from collections.abc import Iterator

import cv2
import numpy as np

from emotion_faces.annotate.faces import Shot
from emotion_faces.errors import UserError
from emotion_faces.faces.pictures import MAX_PIXELS

_DEFAULT_FPS = 25.0
_MAX_FPS = 240.0  # some containers state their clock's rate (1,000 or 90,000) and not the film's
_PROTOCOLS = "file,pipe"
"""What FFmpeg may open: a hostile playlist must not make it call a server."""


class FilmReader:
    """An open film; a context manager.

    Attributes:
      width, height: of its frames, in pixels, turned as the film's metadata tells.
      fps: its mean rate; 25 where the file states none.
      frame_count: as the file states it; 0 where it does not.
      frames_read: how many frames() has given so far.

    Raises:
      UserError: the file is missing, empty, or no film with pictures in it.
    """

    def __init__(self, path: pathlib.Path):
        try:
            size = path.stat().st_size
        except OSError as error:
            raise UserError(f"{path} can't be read: {error.strerror}") from None
        if not size:
            raise UserError(f"{path} is empty (0 bytes)")
        # OpenCV reads these two when it opens a file; the first silences what it prints for a
        # damaged one, which the caller is told of anyway.
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", f"protocol_whitelist;{_PROTOCOLS}")
        self._path = path
        self._capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
        ok, first = self._capture.read() if self._capture.isOpened() else (False, None)
        if not ok or first is None:
            self._capture.release()
            raise UserError(f"{path} is not a film that can be read, or it is damaged")
        self._first: np.ndarray | None = first
        self.height, self.width = first.shape[:2]
        if self.height * self.width > MAX_PIXELS:
            self._capture.release()
            raise UserError(f"{path} has frames of {self.width} x {self.height} pixels: too large")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps <= _MAX_FPS else _DEFAULT_FPS
        self.frame_count = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.frames_read = 0

    def __enter__(self) -> FilmReader:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self._capture.release()

    def frames(self, every: int = 1) -> Iterator[Shot]:
        """Every frame, once, numbered from 0; frames 0, every, 2 * every... are to be analysed."""
        seconds = 0.0
        while (bgr := self._next()) is not None:
            number = self.frames_read
            stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            # Some files carry no time stamps, or ones that go back.
            seconds = max(seconds, stamp if stamp > 0 else number / self.fps)
            self.frames_read += 1
            yield Shot(
                cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB),
                self._path.name,
                number,
                seconds,
                analysed=number % every == 0,
            )

    def _next(self) -> np.ndarray | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        ok, frame = self._capture.read()
        return frame if ok else None


class FilmWriter:
    """Writes an H.264 MP4 through FFmpeg, with the sound of another film; a context manager.

    FFmpeg runs as a process of its own and closes the file when its input ends, however that
    comes about: what was written until then plays.

    Args:
      path: the file to make; it must not exist.
      sound_from: the film whose first sound track is taken over, as far as the pictures go.

    Raises:
      UserError: FFmpeg is missing, or it failed (its words are in the text).
    """

    def __init__(
        self, path: pathlib.Path, width: int, height: int, fps: float, sound_from: pathlib.Path
    ):
        self._path = path
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115  __exit__ closes it
        command = [
            *(find_ffmpeg(), "-nostdin", "-loglevel", "error", "-n"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"),
            *("-r", f"{fps:.6f}", "-i", "pipe:0"),
            *("-protocol_whitelist", _PROTOCOLS, "-i", str(sound_from.absolute())),
            # Silence without end after the sound, so that "shortest" means the pictures.
            *("-map", "0:v:0", "-map", "1:a:0?", "-af", "apad", "-shortest", "-c:a", "aac"),
            *("-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-pix_fmt", "yuv420p"),
            *("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2"),  # the format takes even sizes only
            *("-movflags", "+faststart", str(path.absolute())),
        ]
        # Its own session: Ctrl-C at the terminal must reach this process only.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=self._messages, start_new_session=True
        )

    def __enter__(self) -> FilmWriter:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
        except BrokenPipeError:
            pass  # told by the status below
        status = self._process.wait()
        with self._messages:
            if status and exc is None:
                raise self._failure()

    def write(self, image: np.ndarray) -> None:
        """Adds a frame: uint8 RGB [height, width, 3]."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(image).data)
        except BrokenPipeError:
            self._process.wait()
            raise self._failure() from None

    def _failure(self) -> UserError:
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").strip().splitlines()
        return UserError(f"FFmpeg could not write {self._path}: {'; '.join(lines[-3:])}")


def find_ffmpeg() -> str:
    """Path of the FFmpeg program: the one in imageio-ffmpeg's wheel, or one on PATH.

    Raises:
      UserError: there is none.
    """
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        raise UserError("writing films needs FFmpeg: install it (apt install ffmpeg)") from None
