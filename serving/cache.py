"""Where the project keeps what it can make again."""

from __future__ import annotations

import functools
import os
import pathlib
import stat
import tempfile

_NAME = "emotion-pipeline"


def cache_dir() -> pathlib.Path:
    """The project's folder in the user's cache: below `XDG_CACHE_HOME`, or `~/.cache`.

    Where that cannot be written, as in a container without a home, it is a folder of the user's own
    among the temporary files.

    Raises:
      OSError: Neither can be written.
    """
    wanted = _wanted()
    if wanted is not None and _is_writable(wanted):
        return wanted
    return _temporary()


def _wanted() -> pathlib.Path | None:
    try:
        base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    except RuntimeError:  # a user without an entry in the system's list, and without HOME
        return None
    return pathlib.Path(base) / _NAME


def _is_writable(folder: pathlib.Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


@functools.cache
def _temporary() -> pathlib.Path:
    # The name can be foretold, so whoever made it is asked before it is trusted.
    folder = pathlib.Path(tempfile.gettempdir()) / f"{_NAME}-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        mine = status.st_uid == os.getuid() and not status.st_mode & 0o022
        if stat.S_ISDIR(status.st_mode) and mine and _is_writable(folder):
            return folder
    except FileExistsError:
        pass
    return pathlib.Path(tempfile.mkdtemp(prefix=f"{_NAME}-"))
