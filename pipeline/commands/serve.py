"""`emotion serve`."""

import argparse
import pathlib

from emotion_pipeline.commands.model_choice import add_shipped_argument, shipped_model
from emotion_pipeline.components.errors import UserError

HELP = "Serve what was pushed, over gRPC and REST."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion serve`."""
    parser.add_argument(
        "--model-dir",
        metavar="DIR",
        type=pathlib.Path,
        help="folder that `emotion run` pushed to; without it the model that comes with the project",
    )
    add_shipped_argument(parser)
    parser.add_argument("--port", type=int, default=8500, help="of gRPC (8500)")
    parser.add_argument("--rest-port", type=int, default=8501, help="of REST (8501); 0 for none")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    parser.add_argument("--model-name", default="emotion", help="name to serve it as")
    parser.add_argument(
        "--engine",
        choices=["auto", "tfserving", "embedded"],
        default="auto",
        help="TensorFlow Serving where it is on PATH, or the project's own",
    )
    parser.add_argument(
        "flags",
        nargs="*",
        metavar="-- --FLAG=VALUE",
        help="further flags of tensorflow_model_server, after --",
    )


def execute(options: argparse.Namespace) -> int:
    """Serves a model until it is stopped; returns the exit status."""
    from emotion_faces.serve import ServeSettings, serve

    if options.model and options.model_dir:
        raise UserError("give --model or --model-dir, not both")
    settings = ServeSettings(
        model_dir=options.model_dir or shipped_model(options.model),
        model_name=options.model_name,
        port=options.port,
        rest_port=options.rest_port,
        host=options.host,
        flags=tuple(options.flags),
    )
    return serve(settings, options.engine)
