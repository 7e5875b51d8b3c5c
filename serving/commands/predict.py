"""`emotion predict`."""

from __future__ import annotations

import argparse
import contextlib
import json
import math

from emotion_faces.commands.model_choice import add_model_arguments, choose_model
from emotion_faces.commands.terminal import FAILED_STATUS, tell
from emotion_faces.commands.url_arguments import add_url_arguments, input_argument, url_policy
from emotion_faces.notes import tell_aside

HELP = "Say the emotion of image files and folders, each one face."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion predict`."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", type=input_argument, help="pictures, folders, URLs"
    )
    add_url_arguments(parser, streams=False)
    add_model_arguments(parser)
    parser.add_argument("--model-name", default="emotion", help="as the server calls it")
    parser.add_argument("--timeout-secs", type=_secs, default=30.0, help="for each request")
    parser.add_argument("--json", action="store_true", help="print a list, an object per image")


def _secs(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"is {text}; it must be a number of seconds above 0")


def execute(options: argparse.Namespace) -> int:
    """Asks a model about pictures; returns the exit status."""
    from emotion_faces.local_server import connect
    from emotion_faces.predict import format_table, predict_files

    chosen = choose_model(options)
    asked = (options.model_name, options.timeout_secs, options.tls_ca)
    with connect(*chosen, *asked) as model:
        answers = predict_files(options.paths, model, url_policy(options), tell_aside)
    if options.json:
        print(json.dumps(answers, indent=1))
    else:
        tell(format_table(answers))
    return FAILED_STATUS if any("error" in answer for answer in answers) else 0
