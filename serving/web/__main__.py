"""`python -m emotion_faces.web`: the page without the project's command line."""

from __future__ import annotations

import argparse
import pathlib
import sys

from emotion_faces.commands.terminal import server_argument
from emotion_faces.errors import UserError
from emotion_faces.web import app


def main() -> int:
    """Serves the page; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="emotion_faces.web", description="Serves the emotion page."
    )
    parser.add_argument("--server", metavar="HOST:PORT", type=server_argument)
    parser.add_argument("--model-dir", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=app.DEFAULT_PORT)
    arguments = parser.parse_args()
    try:
        app.serve(arguments.server, arguments.model_dir, arguments.host, arguments.port)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
