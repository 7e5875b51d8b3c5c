"""Keeps what TensorFlow says, from C++ too, off the terminal."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

_STDERR = 2
"""The descriptor itself: `sys.stderr` has none in a notebook."""


@contextlib.contextmanager
def stderr_to(log_file: pathlib.Path | None) -> Iterator[None]:
    """Sends the process's stderr to a file, as TensorFlow writes to it from C++ too."""
    if log_file is None:
        yield
        return
    log_file.parent.mkdir(parents=True, exist_ok=True)
    saved = os.dup(_STDERR)
    try:
        with log_file.open("ab") as log:
            os.dup2(log.fileno(), _STDERR)
        yield
    finally:
        os.dup2(saved, _STDERR)
        os.close(saved)
