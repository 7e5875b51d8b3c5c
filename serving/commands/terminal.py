"""What commands share: exit statuses, and how they read and write at a terminal."""

from __future__ import annotations

import argparse
import io
import os
import pathlib
import re
import sys
import warnings

from emotion_faces.addresses import DEFAULT_SERVER
from emotion_faces.names import printable_text
from emotion_faces.notes import tell_aside

FAILED_STATUS = 1
USAGE_STATUS = 2
INTERRUPTED_STATUS = 130

_HOST_AND_PORT = re.compile(r"(?:\[[^\s\]/]+\]|[^\s\[\]/:]+):([0-9]{1,5})")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_TARGETS = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:")
"""Targets of gRPC's own."""


def add_verbose(parser: argparse.ArgumentParser, default: bool | str = False) -> None:
    """Declares `--verbose`."""
    parser.add_argument(
        "--verbose",
        action="store_true",
        default=default,
        help="show logs and tracebacks on the terminal",
    )


def spell_otherwise() -> None:
    """Lets the terminal escape what it cannot spell: a class's or a file's name ends no command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def calm_warnings() -> None:
    """Lets no warning of a library end the command, nor those that it starts, as PYTHONWARNINGS=error would."""
    if "error" in os.environ.get("PYTHONWARNINGS", ""):
        del os.environ["PYTHONWARNINGS"]
        warnings.simplefilter("ignore")


def tell(text: str) -> None:
    """Prints what a command answers; names in it, which are somebody else's, move no cursor."""
    print(printable_text(text), flush=True)


def tell_error(error: object) -> None:
    """Says in the user's terminal what ended the command, or would; names in it move no cursor."""
    tell_aside(f"emotion: {error}")


def path_argument(text: str) -> pathlib.Path:
    """Returns the path that an argument names; an empty one would be the current folder, a URL `https:/...`."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; give a path")
    if _URL.match(text):
        raise argparse.ArgumentTypeError(f"{text} is a URL, which is not opened here; give a path")
    return pathlib.Path(text)


def server_argument(text: str) -> str:
    """Returns the model server that an argument names; gRPC would ask another port than one out of range."""
    found = _HOST_AND_PORT.fullmatch(text)
    if not (found and 0 < int(found[1]) < 65536) and not text.startswith(_TARGETS):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no HOST:PORT; give a model server's gRPC port, such as {DEFAULT_SERVER}"
        )
    return text
