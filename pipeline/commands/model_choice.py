"""Which model a command asks: the one the user names, a server that runs, or the shipped one."""

import argparse
import pathlib
import socket
import sys
from collections.abc import Callable

from emotion_faces.addresses import DEFAULT_SERVER
from emotion_pipeline.commands.terminal import path_argument
from emotion_pipeline.components.errors import UserError

_CONNECT_TIMEOUT_SECS = 1.0


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares `--server`, `--model-dir` and `--model`, all optional."""
    parser.add_argument(
        "--server",
        metavar="HOST:PORT",
        help=f"a model server; without it {DEFAULT_SERVER}, or the model that comes with the project",
    )
    parser.add_argument("--model-dir", metavar="DIR", type=path_argument, help="serve this model")
    add_shipped_argument(parser)


def add_shipped_argument(parser: argparse.ArgumentParser) -> None:
    """Declares `--model`."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="use this one of the models that come with the project: specified or deep",
    )


def shipped_model(name: str | None = None) -> pathlib.Path:
    """Returns the folder of a model that comes with the project, and tells the user of it.

    Args:
      name: Which; None for the one that is right most often.

    Raises:
      UserError: There is none of that name, or it cannot be made.
    """
    from emotion_pipeline.shipped.location import shipped_model_dir
    from emotion_pipeline.shipped.models import find_shipped

    model = find_shipped(name)
    print(
        f"using the model {model.name} that comes with the project ({model.card_file})",
        file=sys.stderr,
        flush=True,
    )
    return shipped_model_dir(model)


def choose_model(
    options: argparse.Namespace,
    default_server: str = DEFAULT_SERVER,
    fallback: Callable[[str | None], pathlib.Path] = shipped_model,
) -> tuple[str | None, pathlib.Path | None]:
    """Chooses whom to ask.

    Args:
      options: With `server`, `model_dir` and `model`, what the user said.
      default_server: HOST:PORT that is asked when the user named nothing and something listens there.
      fallback: Gives the folder of a shipped model, by its name or None.

    Returns:
      A server and None, or None and a model folder; both, where the user named both, which
      `emotion_faces.local_server.reach` refuses.

    Raises:
      UserError: `--model` beside one of the others.
    """
    if options.model:
        if options.server or options.model_dir:
            raise UserError("give --model, --model-dir or --server, not several")
        return None, fallback(options.model)
    if options.server or options.model_dir:
        return options.server, options.model_dir
    if _listens(default_server):
        return default_server, None
    print(f"no model server at {default_server}", file=sys.stderr)
    return None, fallback(None)


def _listens(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _CONNECT_TIMEOUT_SECS).close()
    except OSError:
        return False
    return True
