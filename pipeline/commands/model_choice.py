"""Which model a command asks: the one the user names, a server that runs, or the shipped one."""

import argparse
import pathlib
import socket
import sys
from collections.abc import Callable

from emotion_faces.client import DEFAULT_SERVER
from emotion_pipeline.commands.terminal import path_argument

_CONNECT_TIMEOUT_SECS = 1.0


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares `--server` and `--model-dir`, both optional."""
    parser.add_argument(
        "--server",
        metavar="HOST:PORT",
        help=f"a model server; without it {DEFAULT_SERVER}, or the model that comes with the project",
    )
    parser.add_argument("--model-dir", metavar="DIR", type=path_argument, help="serve this model")


def shipped_model() -> pathlib.Path:
    """Returns the folder of the model that comes with the project, and tells the user of it."""
    from emotion_pipeline.shipped.location import CARD_FILE, shipped_model_dir

    print(f"using the model that comes with the project ({CARD_FILE})", file=sys.stderr, flush=True)
    return shipped_model_dir()


def choose_model(
    options: argparse.Namespace,
    default_server: str = DEFAULT_SERVER,
    fallback: Callable[[], pathlib.Path] = shipped_model,
) -> tuple[str | None, pathlib.Path | None]:
    """Chooses whom to ask.

    Args:
      options: With `server` and `model_dir`, what the user said.
      default_server: HOST:PORT that is asked when the user named nothing and something listens there.
      fallback: Gives the model folder for when nothing does.

    Returns:
      A server and None, or None and a model folder; both, where the user named both, which
      `emotion_faces.local_server.reach` refuses.
    """
    if options.server or options.model_dir:
        return options.server, options.model_dir
    if _listens(default_server):
        return default_server, None
    print(f"no model server at {default_server}", file=sys.stderr)
    return None, fallback()


def _listens(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _CONNECT_TIMEOUT_SECS).close()
    except OSError:
        return False
    return True
