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
from emotion_faces.faces.detector import CenterFace

WINDOW = "emotion (q closes)"


def show_in_window(image: np.ndarray) -> bool:
    """Shows uint8 RGB [height, width, 3]; returns False once the user pressed q or Esc."""
    cv2.imshow(WINDOW, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return cv2.waitKey(1) & 0xFF not in (ord("q"), 27)


def annotate_camera(
    camera: int,
    table_path: pathlib.Path | None = None,
    server: str | None = None,
    model_dir: pathlib.Path | None = None,
    settings: Settings = DEFAULT_SETTINGS,
    show: Callable[[np.ndarray], bool] = show_in_window,
) -> int:
    """Shows a camera's pictures with their faces marked until the user closes the window.

    Args:
      camera: the camera's number; 0 is the first.
      table_path: a `.csv` or `.parquet` file to make; None for none.
      server: HOST:PORT of a model server.
      model_dir: a model folder, in place of a server.
      settings: see Settings.
      show: takes each marked picture; returns False to stop.

    Returns:
      The number of frames shown.

    Raises:
      UserError: there is no such camera or no screen, the table exists, or no server answers.
    """
    if show is show_in_window and sys.platform == "linux" and not _has_screen():
        raise UserError(
            "there is no screen to open a window on (DISPLAY is not set); `emotion web` shows the "
            "camera in a browser"
        )
    if table_path is not None:
        check_suffix(table_path)
    if table_path is not None and table_path.exists():
        raise UserError(f"{table_path} exists already: choose another file with --csv")
    capture = cv2.VideoCapture(camera)
    try:
        if not capture.isOpened():
            raise UserError(f"camera {camera} can't be opened: is it plugged in, or in use?")
        with local_server.connect(server, model_dir) as client, stop_on_interrupt() as stopped:
            labels = ask_model(client).labels
            detector = CenterFace(min_face_px=settings.min_face_px)
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
                    draw_faces(shot.image, faces)
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
