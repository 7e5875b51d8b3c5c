"""File names as text."""

from __future__ import annotations

import os


def printable(path: str | os.PathLike[str]) -> str:
    r"""Returns a path as text that any table or message can hold.

    A name on disk is bytes and need not be UTF-8; what is not stands as `\xNN`.
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")
