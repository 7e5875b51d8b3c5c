"""What is told beside a command's answer."""

from __future__ import annotations

import sys

from emotion_faces.names import printable_text


def tell_aside(text: str) -> None:
    """Prints text where errors go; names in it, which are somebody else's, move no cursor."""
    print(printable_text(text), file=sys.stderr)
