"""`emotion web`."""

import argparse
import pathlib

HELP = "Serve a page that marks faces, for this computer's browser."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion web`."""
    parser.add_argument("--server", metavar="HOST:PORT", help="a model server that runs already")
    parser.add_argument("--model-dir", metavar="DIR", type=pathlib.Path, help="serve this model")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8600)


def execute(options: argparse.Namespace) -> int:
    """Serves the page until it is stopped; returns the exit status."""
    from serving.web.app import serve

    serve(options.server, options.model_dir, options.host, options.port)
    return 0
