"""`emotion web`."""

from __future__ import annotations

import argparse

from emotion_faces.commands.model_choice import add_model_arguments, choose_model

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
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    parser.add_argument("--port", type=int, default=8600, help="of HTTP (%(default)s)")


def execute(options: argparse.Namespace) -> int:
    """Serves the page until it is stopped; returns the exit status."""
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
