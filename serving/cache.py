"""Where the project keeps what it can make again."""

from __future__ import annotations

import os
import pathlib


def cache_dir() -> pathlib.Path:
    """The project's folder in the user's cache: below `XDG_CACHE_HOME`, or `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "emotion-pipeline"
