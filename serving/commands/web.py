"""`emotion web`."""

from __future__ import annotations

import argparse
import shlex

from emotion_faces.commands.model_choice import add_model_arguments, choose_model, model_path
from emotion_faces.commands.terminal import path_argument
from emotion_faces.errors import UsageError
from emotion_faces.shipped import find_model

HELP = "Serve a page that marks faces, for this computer's browser."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion web`."""
    add_model_arguments(parser)
    parser.add_argument(
        "--unsure-below",
        metavar="P",
        type=float,
        default=0.0,
        help="count faces as unsure whose likeliest emotion has a smaller probability (0: none)",
    )
    parser.add_argument(
        "--static",
        metavar="DIR",
        type=path_argument,
        help="write the page into a folder, for any web server: the browser does all of it by itself",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    parser.add_argument("--port", type=int, default=8600, help="of HTTP (%(default)s)")


def execute(options: argparse.Namespace) -> int:
    """Serves the page until it is stopped, or writes it; returns the exit status."""
    if options.static is not None:
        return _write(options)
    from emotion_faces.web.app import serve

    server, model_dir = choose_model(options)
    serve(
        server,
        model_dir,
        options.host,
        options.port,
        unsure_below=options.unsure_below,
        tls_ca=options.tls_ca,
    )
    return 0


def _write(options: argparse.Namespace) -> int:
    from emotion_faces.web.static_page import write_static_page

    if options.server:
        raise UsageError(
            "--static writes the model into the page: name --model or --model-dir, not --server"
        )
    if options.model and options.model_dir:
        raise UsageError("give --model or --model-dir, not both")
    model_dir = options.model_dir or find_model(options.model).folder
    model_dir = model_path(model_dir, options)
    page = write_static_page(options.static, model_dir, unsure_below=options.unsure_below)
    print(
        f"{page.folder}: the page with the model {page.model}, {page.size / 1e6:.0f} MB; to look at it here: "
        f"python -m http.server --bind 127.0.0.1 --directory {shlex.quote(str(page.folder))}"
    )
    return 0
