"""`emotion predict`."""

import argparse
import json
import pathlib

from pipeline.commands.terminal import FAILED_STATUS

HELP = "Ask a model server about image files and folders."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion predict`."""
    parser.add_argument("paths", nargs="+", metavar="PATH", type=pathlib.Path)
    parser.add_argument("--server", default="127.0.0.1:8500", metavar="HOST:PORT")
    parser.add_argument("--model-name", default="emotion")
    parser.add_argument("--timeout-secs", type=float, default=30.0)
    parser.add_argument("--json", action="store_true", help="print a list, an object per image")


def execute(options: argparse.Namespace) -> int:
    """Asks a server about pictures; returns the exit status."""
    from serving.predict import format_table, predict_paths

    answers = predict_paths(options.paths, options.server, options.model_name, options.timeout_secs)
    print(json.dumps(answers, indent=1) if options.json else format_table(answers))
    return FAILED_STATUS if any("error" in answer for answer in answers) else 0
