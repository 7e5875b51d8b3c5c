"""`python -m emotion_faces.model_server`: the server by tensorflow_model_server's flags."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from emotion_faces.errors import UserError
from emotion_faces.model_server import flags


def main(arguments: Sequence[str]) -> int:
    """Runs the server; returns the exit status, 255 (-1) where it can't start."""
    try:
        options, warnings = flags.parse(arguments)
    except UserError as error:
        print(f"{error}\n{flags.usage()}", file=sys.stderr)
        return 255
    flags.report(warnings)
    if options.help:
        print(flags.usage())
        return 0
    flags.set_up_logging()
    from emotion_faces.model_server import server  # imports TensorFlow

    try:
        return server.run(options)
    except UserError as error:
        print(error, file=sys.stderr)
        return 255


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read --help has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
