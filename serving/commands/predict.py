"""`emotion predict`."""

from __future__ import annotations

import argparse
import json

from emotion_faces.commands.model_choice import add_model_arguments, choose_model
from emotion_faces.commands.terminal import FAILED_STATUS, path_argument

HELP = "Say the emotion of image files and folders, each one face."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion predict`."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", type=path_argument, help="pictures, folders"
    )
    add_model_arguments(parser)
    parser.add_argument("--model-name", default="emotion", help="as the server calls it")
    parser.add_argument("--timeout-secs", type=float, default=30.0, help="for each request")
    parser.add_argument("--json", action="store_true", help="print a list, an object per image")


def execute(options: argparse.Namespace) -> int:
    """Asks a model about pictures; returns the exit status."""
    from emotion_faces.local_server import connect
    from emotion_faces.predict import format_table, predict_files

    chosen = choose_model(options)
    with connect(*chosen, options.model_name, options.timeout_secs) as model:
        answers = predict_files(options.paths, model)
    print(json.dumps(answers, indent=1) if options.json else format_table(answers))
    return FAILED_STATUS if any("error" in answer for answer in answers) else 0
