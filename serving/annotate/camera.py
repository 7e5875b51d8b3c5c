"""A webcam in a window: what `emotion annotate --camera N` does."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from emotion_faces import local_server
from emotion_faces.annotate.draw import draw_faces
from emotion_faces.annotate.faces import FaceEmotion, Shot, ask_model, find_emotions, mark_unsure
from emotion_faces.annotate.run import DEFAULT_SETTINGS, Settings, stop_on_interrupt
from emotion_faces.annotate.table import FaceTable, check_suffix
from emotion_faces.annotate.track import Tracker
from emotion_faces.errors import UserError

_TITLE = "emotion (q closes)"


class Window:
    """A window of Tk's; OpenCV's own would need a desktop's libraries wherever this is installed.

    Raises:
      UserError: This Python has no Tk, or there is no screen.
    """

    def __init__(self) -> None:
        advice = "`emotion web` shows the camera in a browser"
        if sys.platform == "linux" and not _has_screen():
            raise UserError(
                f"there is no screen to open a window on (DISPLAY is not set); {advice}"
            )
        try:
            import tkinter
        except ImportError:
            raise UserError(
                "this Python has no Tk to open a window with (Debian and Ubuntu: apt install "
                f"python3-tk); {advice}"
            ) from None
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise UserError(f"no window can be opened: {error}; {advice}") from None
        self._open = True
        self._root.title(_TITLE)
        self._root.protocol("WM_DELETE_WINDOW", self.close)
        for key in ("q", "<Escape>"):
            self._root.bind(key, lambda event: self.close())
        self._picture = tkinter.PhotoImage(master=self._root)
        tkinter.Label(self._root, image=self._picture).pack()

    def __call__(self, image: np.ndarray) -> bool:
        """Shows uint8 RGB [height, width, 3]; returns False once the user closed the window."""
        height, width = image.shape[:2]
        self._picture.configure(
            data=b"P6 %d %d 255 " % (width, height) + image.tobytes(), format="ppm"
        )
        self._root.update()
        if not self._open:
            self._root.destroy()
        return self._open

    def close(self) -> None:
        """Closes the window with the next picture."""
        self._open = False


def annotate_camera(
    camera: int,
    table_path: pathlib.Path | None = None,
    server: str | None = None,
    model_dir: pathlib.Path | None = None,
    settings: Settings = DEFAULT_SETTINGS,
    show: Callable[[np.ndarray], bool] | None = None,
    tls_ca: pathlib.Path | None = None,
) -> int:
    """Shows a camera's pictures with their faces marked until the user closes the window.

    Args:
      camera: The camera's number; 0 is the first.
      table_path: A `.csv` or `.parquet` file to make; None for none.
      server: HOST:PORT of a model server.
      model_dir: A model folder, in place of a server.
      settings: See Settings.
      show: Takes each marked picture; returns False to stop; None for a window.
      tls_ca: PEM certificates that a server with TLS is known by.

    Returns:
      The number of frames shown.

    Raises:
      UserError: There is no such camera or no screen, the table exists, or no server answers.
    """
    show = show or Window()
    if table_path is not None:
        check_suffix(table_path)
    if table_path is not None and table_path.exists():
        raise UserError(f"{table_path} exists already: choose another file with --csv")
    capture = cv2.VideoCapture(camera)
    try:
        if not capture.isOpened():
            raise UserError(f"camera {camera} can't be opened: is it plugged in, or in use?")
        with (
            local_server.connect(server, model_dir, tls_ca=tls_ca) as client,
            stop_on_interrupt() as stopped,
        ):
            labels = ask_model(client).labels
            detector = settings.detector()
            tracker = Tracker(settings.smooth)
            faces: list[FaceEmotion] = []
            shown = 0
            with FaceTable(table_path, labels) if table_path else contextlib.nullcontext() as table:
                for shot in _frames(capture, settings.every):
                    if shot.analysed:
                        [shot] = find_emotions([shot], detector, client)
                        faces = tracker.update(shot.faces, shot.seconds)
                        shot.faces = faces = mark_unsure(faces, settings.unsure_below)
                        if table is not None:
                            table.write(shot)
                    draw_faces(shot.image, faces, settings.region)
                    shown += 1
                    if not show(shot.image) or stopped.is_set():
                        break
            return shown
    finally:
        capture.release()


def _frames(capture: cv2.VideoCapture, every: int) -> Iterator[Shot]:
    start = time.monotonic()
    number = 0
    while True:
        ok, bgr = capture.read()
        if not ok:
            return
        image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        seconds = time.monotonic() - start
        yield Shot(image, "camera", number, seconds, analysed=number % every == 0)
        number += 1


def _has_screen() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
