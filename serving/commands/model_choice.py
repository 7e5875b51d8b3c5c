"""Which model a command asks: the one the user names, a server that runs, or one that comes along."""

from __future__ import annotations

import argparse
import pathlib
import socket
import sys
from collections.abc import Callable

from emotion_faces import shipped
from emotion_faces.addresses import DEFAULT_SERVER
from emotion_faces.commands.terminal import path_argument, server_argument
from emotion_faces.errors import UsageError
from emotion_faces.model_folder import int8_file
from emotion_faces.shipped import ShippedModel

_CONNECT_TIMEOUT_SECS = 1.0


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares `--server`, `--tls-ca`, `--model-dir`, `--model` and `--int8`, all optional."""
    parser.add_argument(
        "--server",
        metavar="HOST:PORT",
        type=server_argument,
        help=f"a model server; without it {DEFAULT_SERVER}, or the model that comes with the project",
    )
    parser.add_argument(
        "--tls-ca",
        metavar="FILE",
        type=path_argument,
        help="PEM certificates that a --server with TLS is known by; without it the connection is plain",
    )
    parser.add_argument(
        "--model-dir", metavar="DIR", type=path_argument, help="a folder with a model"
    )
    add_shipped_argument(parser)
    parser.add_argument(
        "--int8",
        action="store_true",
        help="take the model in 8 bits, where it has one: a third of the time, almost as often right",
    )


def add_shipped_argument(parser: argparse.ArgumentParser) -> None:
    """Declares `--model`."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="use this one of the models that come with the project: deep, or with emotion-pipeline specified",
    )


def choose_model(
    options: argparse.Namespace,
    default_server: str = DEFAULT_SERVER,
    find_model: Callable[[str | None], ShippedModel] = shipped.find_model,
) -> tuple[str | None, pathlib.Path | None]:
    """Chooses whom to ask.

    Args:
      options: With `server`, `tls_ca`, `model_dir`, `model` and `int8`, what the user said.
      default_server: HOST:PORT that is asked when the user named nothing and something listens there.
      find_model: Gives a model that comes along by its name, or the best of them for None.

    Returns:
      A server and None, or None and a model folder, or a file in it; both, where the user named both,
      which `emotion_faces.local_server.connect` refuses.

    Raises:
      UsageError: `--model` beside one of the others, `--tls-ca` without a server, or `--int8` with one, or
        of a model that is not there in 8 bits.
    """
    if options.int8 and options.server:
        raise UsageError(
            "--int8 is for a model in this process: a server answers with what it has loaded"
        )
    if options.tls_ca and not options.server:
        raise UsageError("--tls-ca is for a server: name it with --server HOST:PORT")
    if options.model and (options.server or options.model_dir):
        raise UsageError("give --model, --model-dir or --server, not several")
    if options.server:
        return options.server, options.model_dir
    if options.model_dir:
        return None, model_path(options.model_dir, options)
    if not options.model and not options.int8:
        if _listens(default_server):
            return default_server, None
        print(f"no model server at {default_server}", file=sys.stderr)
    model = find_model(options.model)
    print(
        f"using the model {model.name} that comes with the project ({model.card_file})",
        file=sys.stderr,
        flush=True,
    )
    return None, model_path(model.folder, options)


def model_path(folder: pathlib.Path, options: argparse.Namespace) -> pathlib.Path:
    """Returns a model's folder, or with `--int8` its file in 8 bits.

    Raises:
      UserError: There is no model, or none in 8 bits.
    """
    return int8_file(folder) if options.int8 else folder


def _listens(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _CONNECT_TIMEOUT_SECS).close()
    except OSError:
        return False
    return True
