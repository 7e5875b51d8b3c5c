"""Arguments of commands that take URLs beside files."""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from emotion_faces.commands.terminal import path_argument

if TYPE_CHECKING:
    from emotion_faces.urls import UrlPolicy


def input_argument(text: str) -> pathlib.Path | str:
    """Returns the path that an argument names, or the text of a URL."""
    from emotion_faces.urls import is_url

    return text if is_url(text) else path_argument(text)


def add_url_arguments(parser: argparse.ArgumentParser, streams: bool = True) -> None:
    """Declares what lets URLs be opened; of streams too, or of files alone."""
    kinds, beside = (
        ("http(s):// and rtsp://", "; rtsp:// needs it") if streams else ("http(s)://", "")
    )
    parser.add_argument("--allow-urls", action="store_true", help=f"take {kinds} URLs for inputs")
    parser.add_argument(
        "--allow-private-urls",
        action="store_true",
        help=f"at loopback, private and link-local addresses too{beside}",
    )


def url_policy(options: argparse.Namespace) -> UrlPolicy:
    """Returns what the arguments of `add_url_arguments` let be opened."""
    from emotion_faces.urls import UrlPolicy

    return UrlPolicy(options.allow_urls, options.allow_private_urls)
