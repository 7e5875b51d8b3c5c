"""What commands share: a terminal without the chatter of libraries, and what `emotion_faces` has for it."""

import contextlib
import gc
import io
import logging
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import TextIO

from emotion_faces.commands.terminal import FAILED_STATUS as FAILED_STATUS
from emotion_faces.commands.terminal import INTERRUPTED_STATUS as INTERRUPTED_STATUS
from emotion_faces.commands.terminal import USAGE_STATUS as USAGE_STATUS
from emotion_faces.commands.terminal import add_verbose as add_verbose
from emotion_faces.commands.terminal import calm_warnings as calm_warnings
from emotion_faces.commands.terminal import path_argument as path_argument
from emotion_faces.commands.terminal import spell_otherwise as spell_otherwise
from emotion_faces.commands.terminal import tell as tell
from emotion_faces.commands.terminal import tell_error as tell_error
from emotion_faces.names import printable_text
from emotion_pipeline.components.errors import UsageError
from emotion_pipeline.lazy_packages import defer_init, make_lazy


@contextlib.contextmanager
def quiet(log: pathlib.Path, verbose: bool, progress_to: TextIO | None = None) -> Iterator[TextIO]:
    """Sends what libraries write, from C++ too, to a log file; yields the user's terminal.

    Progress reports go to both. With `verbose` everything stays on the terminal.

    Args:
      log: The file, to which is added.
      verbose: Whether nothing is redirected.
      progress_to: `sys.stderr` for progress reports there; None for the standard output.
    """
    if sys.flags.optimize > 1:
        raise UsageError(
            "PYTHONOPTIMIZE=2, or python -OO, takes away docstrings that Apache Beam works with; unset it"
        )
    # Whatever the user's shell says: the layers, and TensorFlow Transform, are Keras 2.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    make_lazy("tfx.components")
    for package in ("nltk", "nltk.stem"):
        defer_init(package)
    progress = logging.getLogger("emotion")
    progress.setLevel(logging.INFO)
    logging.basicConfig(level=logging.INFO)
    if verbose:
        yield sys.stdout
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {stream: os.dup(stream.fileno()) for stream in (sys.stdout, sys.stderr)}
    terminal = _reopen(saved[sys.stdout], sys.stdout)
    reports = _reopen(saved[progress_to or sys.stdout], sys.stdout)
    handler = logging.StreamHandler(reports)
    progress.addHandler(handler)
    with open(log, "ab") as file:
        for stream in saved:
            os.dup2(file.fileno(), stream.fileno())
    try:
        yield terminal
    finally:
        gc.collect()  # what TensorFlow's objects say as they end is for the log too
        for stream, descriptor in saved.items():
            with contextlib.suppress(OSError):  # the log's disk is full
                stream.flush()
            os.dup2(descriptor, stream.fileno())
        progress.removeHandler(handler)
        reports.close()
        terminal.close()


@contextlib.contextmanager
def going_on() -> Iterator[None]:
    """Tells whoever interrupts a run that nothing of it is lost."""
    try:
        yield
    except KeyboardInterrupt:
        print(
            "\nemotion: interrupted. Give the same command again: it goes on where it stopped",
            file=sys.stderr,
        )
        raise SystemExit(INTERRUPTED_STATUS) from None


class _Terminal(io.TextIOWrapper):
    """What is written on it moves no cursor: names in the data are somebody else's."""

    def write(self, text: str) -> int:
        """Writes text, its control characters spelled out."""
        return super().write(printable_text(text))


def _reopen(descriptor: int, like: TextIO) -> TextIO:
    encoding = getattr(like, "encoding", None)
    raw = os.fdopen(os.dup(descriptor), "wb")
    return _Terminal(raw, encoding=encoding, errors="backslashreplace", line_buffering=True)
