"""`emotion annotate`."""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys
from typing import Any

from emotion_faces.commands.model_choice import add_model_arguments, choose_model
from emotion_faces.commands.terminal import USAGE_STATUS
from emotion_faces.commands.url_arguments import add_url_arguments, input_argument, url_policy

HELP = "Mark the faces of pictures and films with their emotions."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion annotate`."""
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="INPUT",
        type=input_argument,
        help="pictures, films, folders, URLs",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=pathlib.Path,
        default=pathlib.Path("marked"),
        help="where marked copies and the table go (%(default)s)",
    )
    parser.add_argument("--csv", metavar="FILE", type=pathlib.Path, help=".csv, .json or .parquet")
    parser.add_argument("--every", type=int, default=1, help="analyse every Nth frame of a film")
    parser.add_argument("--raw", action="store_true", help="do not smooth a film's probabilities")
    parser.add_argument("--min-face-px", type=int, help="leave smaller faces out")
    parser.add_argument(
        "--unsure-below",
        metavar="P",
        type=float,
        default=0.0,
        help="label faces unsure whose likeliest emotion has a smaller probability (0: none)",
    )
    parser.add_argument(
        "--region", metavar="X,Y,W,H", help="look for faces in this part of each picture alone"
    )
    parser.add_argument(
        "--max-secs",
        type=float,
        metavar="S",
        help="annotate so much of each film; of a stream 3600",
    )
    add_url_arguments(parser)
    add_model_arguments(parser)
    parser.add_argument("--camera", type=int, metavar="N", help="a camera instead of files")


def execute(options: argparse.Namespace) -> int:
    """Marks pictures and films; returns the exit status."""
    from emotion_faces.annotate.camera import annotate_camera
    from emotion_faces.annotate.run import DEFAULT_SETTINGS, annotate
    from emotion_faces.faces.region import Region

    if bool(options.paths) == (options.camera is not None):
        print("emotion annotate: give either files and folders, or --camera N", file=sys.stderr)
        return USAGE_STATUS
    changes: dict[str, Any] = {"every": options.every, "smooth": not options.raw}
    changes["unsure_below"] = options.unsure_below
    changes["max_secs"] = options.max_secs
    changes["urls"] = url_policy(options)
    if options.region is not None:
        changes["region"] = Region.parse(options.region)
    if options.min_face_px is not None:
        changes["min_face_px"] = options.min_face_px
    settings = dataclasses.replace(DEFAULT_SETTINGS, **changes)
    server, model_dir = choose_model(options)
    if options.camera is not None:
        annotate_camera(
            options.camera, options.csv, server, model_dir, settings, tls_ca=options.tls_ca
        )
        return 0
    done = annotate(
        options.paths, options.out, options.csv, server, model_dir, settings, options.tls_ca
    )
    print(done)
    return done.exit_status
