"""What commands share: exit statuses, and a terminal without the chatter of libraries."""

import argparse
import contextlib
import gc
import logging
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import TextIO

from emotion_pipeline.lazy_packages import make_lazy

FAILED_STATUS = 1
USAGE_STATUS = 2


def add_verbose(parser: argparse.ArgumentParser, default: bool | str = False) -> None:
    """Declares `--verbose`."""
    parser.add_argument(
        "--verbose",
        action="store_true",
        default=default,
        help="show logs and tracebacks on the terminal",
    )


@contextlib.contextmanager
def quiet(log: pathlib.Path, verbose: bool, progress_to: TextIO | None = None) -> Iterator[TextIO]:
    """Sends what libraries write, from C++ too, to a log file; yields the user's terminal.

    Progress reports go to both. With `verbose` everything stays on the terminal.

    Args:
      log: The file, to which is added.
      verbose: Whether nothing is redirected.
      progress_to: `sys.stderr` for progress reports there; None for the standard output.
    """
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    make_lazy("tfx.components")
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
    terminal = os.fdopen(os.dup(saved[sys.stdout]), "w", buffering=1)
    reports = os.fdopen(os.dup(saved[progress_to or sys.stdout]), "w", buffering=1)
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
            stream.flush()
            os.dup2(descriptor, stream.fileno())
        progress.removeHandler(handler)
        reports.close()
        terminal.close()
