"""File names as text."""

from __future__ import annotations

import os
import re

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What ends a line, moves a terminal's cursor or turns the direction of the text about it."""


def printable(path: str | os.PathLike[str]) -> str:
    r"""Returns a path as text that any table or message can hold.

    A name on disk is bytes and need not be UTF-8; what is not stands as `\xNN`. Control characters stand as
    Python writes them, `\n` and `\x1b`: a name is one line, and nothing that a terminal acts on.
    """
    return _spelled(os.fsencode(path).decode("utf-8", "backslashreplace"))


def printable_text(text: str) -> str:
    r"""Returns text with its control characters as Python writes them, but for the ends of its lines.

    Example:
      >>> printable_text("no class\x1b[2J\n- remove it")
      'no class\\x1b[2J\n- remove it'
    """
    return "\n".join(_spelled(line.expandtabs()) for line in text.split("\n"))


def _spelled(text: str) -> str:
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
