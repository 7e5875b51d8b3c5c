"""`emotion explain`."""

from __future__ import annotations

import argparse
import json
import pathlib

from emotion_faces.commands.model_choice import add_model_arguments, choose_model
from emotion_faces.commands.terminal import FAILED_STATUS, path_argument

HELP = "Say why faces are answered as they are: which parts of each the answer rests on."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion explain`."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", type=path_argument, help="pictures, folders"
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=pathlib.Path,
        default=pathlib.Path("explained"),
        help="where a picture for each picture goes (%(default)s)",
    )
    parser.add_argument("--emotion", metavar="NAME", help="explain this class, not the likeliest")
    parser.add_argument(
        "--whole", action="store_true", help="each picture is one cropped face, as predict has it"
    )
    parser.add_argument("--min-face-px", type=int, help="leave smaller faces out")
    parser.add_argument("--json", action="store_true", help="print a list, an object per face")
    add_model_arguments(parser)


def execute(options: argparse.Namespace) -> int:
    """Explains the answers about pictures; returns the exit status."""
    from emotion_faces.annotate.explain_files import explain_files
    from emotion_faces.faces.any_turn import AnyTurn
    from emotion_faces.faces.detector import DEFAULT_MIN_FACE_PX, CenterFace
    from emotion_faces.local_server import connect

    least = DEFAULT_MIN_FACE_PX if options.min_face_px is None else options.min_face_px
    detector = AnyTurn(CenterFace(min_face_px=least))
    with connect(*choose_model(options), tls_ca=options.tls_ca) as model:
        done = explain_files(
            options.paths, options.out, detector, model, options.emotion, options.whole
        )
    if options.json:
        print(json.dumps(done.faces, indent=1))
    else:
        for face in done.faces:
            number = f" {face['face']}:" if face["face"] else ""
            print(
                f"{face['path']}:{number} {face['emotion']} {face['probability']:.3f}, "
                f"a covered spot takes up to {face['largest_fall']:.3f} of it: {face['picture']}"
            )
    return FAILED_STATUS if done.failed else 0
