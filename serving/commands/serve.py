"""`emotion serve`."""

from __future__ import annotations

import argparse
import importlib.util

from emotion_faces.commands.model_choice import add_shipped_argument
from emotion_faces.commands.terminal import path_argument
from emotion_faces.errors import UsageError, UserError
from emotion_faces.model_server import flags

HELP = "Serve what was pushed, over gRPC and REST."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion serve`."""
    parser.add_argument(
        "--model-dir",
        metavar="DIR",
        type=path_argument,
        help="folder that `emotion run` pushed to; without it the model that comes with the project",
    )
    add_shipped_argument(parser)
    parser.add_argument("--port", type=int, default=8500, help="of gRPC (8500)")
    parser.add_argument("--rest-port", type=int, default=8501, help="of REST (8501); 0 for none")
    parser.add_argument("--host", default="127.0.0.1", help="address of both ports (%(default)s)")
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
        help="further flags of tensorflow_model_server; they may stand without the -- too",
    )
    for name in sorted(flags.NAMES - {"host", "port", "help", "version"}):
        parser.add_argument(
            f"--{name}", action=_AppendFlag, nargs="?", dest=name, help=argparse.SUPPRESS
        )


class _AppendFlag(argparse.Action):
    """Takes a flag of tensorflow_model_server as it is, among those after `--`."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Keeps `--flag=value`, or a bare `--flag`."""
        flag = f"--{self.dest}" if values is None else f"--{self.dest}={values}"
        namespace.named_flags = [*getattr(namespace, "named_flags", []), flag]


def execute(options: argparse.Namespace) -> int:
    """Serves a model until it is stopped; returns the exit status."""
    if options.model and options.model_dir:
        raise UsageError("give --model or --model-dir, not both")
    if not importlib.util.find_spec("tensorflow_serving"):
        raise UserError("the model server needs TensorFlow: pip install 'emotion-faces[serve]'")
    from emotion_faces.serve import ServeSettings, serve

    settings = ServeSettings(
        model_dir=options.model_dir or options.saved_model(options.model),
        model_name=options.model_name,
        port=options.port,
        rest_port=options.rest_port,
        host=options.host,
        flags=(*getattr(options, "named_flags", ()), *options.flags),
    )
    return serve(settings, options.engine)
