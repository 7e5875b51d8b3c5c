"""The `emotion` command where the pipeline is not installed: what needs a model and no TFX."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence

from emotion_faces.commands import annotate, explain, predict, serve, web
from emotion_faces.commands.terminal import (
    FAILED_STATUS,
    INTERRUPTED_STATUS,
    USAGE_STATUS,
    add_verbose,
    calm_warnings,
    spell_otherwise,
    tell_error,
)
from emotion_faces.errors import UsageError, UserError

DISTRIBUTION = "emotion-faces"
"""The name under which this part of the project is installed."""

_STATUSES: dict[type[Exception], int] = {UsageError: USAGE_STATUS, UserError: FAILED_STATUS}
_COMMANDS = {
    "annotate": annotate,
    "predict": predict,
    "explain": explain,
    "web": web,
    "serve": serve,
}
_ELSEWHERE = ("run", "validate", "schema", "sample-data", "cluster", "kubeflow")
"""What the distribution `emotion-pipeline` has beside them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status."""
    spell_otherwise()
    calm_warnings()
    options = parse_command(make_parser(), arguments, _describe)
    return run_command(options, _STATUSES, _describe)


def parse_command(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    describe: Callable[[OSError], str],
) -> argparse.Namespace:
    """Parses a command line; where nobody takes what `--help` or `--version` says, ends as a command does.

    Args:
      parser: Of the whole command.
      arguments: Without the program's name; None for the process's own.
      describe: Says what an OSError comes to.

    Raises:
      SystemExit: All is said, an argument is wrong, or the output can't be written.
    """
    try:
        try:
            return parser.parse_args(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        tell_error(describe(error))
        _drop_output()
    raise SystemExit(FAILED_STATUS)


def run_command(
    options: argparse.Namespace,
    statuses: Mapping[type[Exception], int],
    describe: Callable[[OSError], str],
) -> int:
    """Runs the command that was parsed, and tells what ends it in one line.

    Args:
      options: With `execute`, the command's function, and `verbose`.
      statuses: Exit status by the error whose text is meant for the user; the first that fits counts.
      describe: Says what an OSError comes to.

    Returns:
      The exit status.
    """
    try:
        with _sigterm_as_ctrl_c():
            status: int = options.execute(options)
        sys.stdout.flush()
        return status
    except tuple(statuses) as error:
        if options.verbose:
            traceback.print_exc()
        tell_error(error)
        return next(status for kind, status in statuses.items() if isinstance(error, kind))
    except KeyboardInterrupt:
        print("emotion: interrupted", file=sys.stderr)
        return INTERRUPTED_STATUS
    except BrokenPipeError:
        # Whoever read the output has gone; nothing is left to tell.
        _drop_output()
        return FAILED_STATUS
    except (OSError, RuntimeError) as error:
        refused = _refused_by_system(error)
        if refused is None:
            raise
        if options.verbose:
            traceback.print_exc()
        tell_error(describe(refused))
        try:
            sys.stdout.flush()
        except OSError:
            _drop_output()
        return FAILED_STATUS


def _drop_output() -> None:
    """Lets what is left of the output go nowhere, so that the end of the process does not fail at it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Lets SIGTERM end a command as Ctrl-C does: what it started is ended, what it holds is closed."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _refused_by_system(error: Exception) -> OSError | None:
    """Returns an error of the system, also where pathlib made another of it.

    Up to Python 3.12 it raises RuntimeError for a link that leads in a circle.
    """
    if isinstance(error, OSError):
        return error
    first = error.__context__
    return first if isinstance(first, OSError) and first.errno == errno.ELOOP else None


def _describe(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


class Version(argparse.Action):
    """Asks for the version only when the user does: the look through what is installed takes time."""

    def __init__(self, distribution: str, **settings: object):
        super().__init__(nargs=0, **settings)  # type: ignore[arg-type]
        self._distribution = distribution

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Says it and ends."""
        import importlib.metadata

        print(f"emotion {importlib.metadata.version(self._distribution)}")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command."""
    parser = argparse.ArgumentParser(prog="emotion", description="Emotions of faces.")
    parser.add_argument(
        "--version", action=Version, distribution=DISTRIBUTION, help="say the version"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in _COMMANDS.items():
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        add_verbose(command)
        module.add_arguments(command)
        command.set_defaults(execute=module.execute, saved_model=_no_saved_model)
    for name in _ELSEWHERE:
        other = commands.add_parser(name, add_help=False, prefix_chars="\0")
        other.add_argument("rest", nargs="*")
        other.set_defaults(execute=_tell_where, command=name, verbose=False)
    return parser


def _tell_where(options: argparse.Namespace) -> int:
    print(
        f"emotion {options.command} is in the distribution emotion-pipeline, which is not installed: "
        "pip install emotion-pipeline",
        file=sys.stderr,
    )
    return USAGE_STATUS


def _no_saved_model(name: str | None = None) -> str:
    raise UserError(
        "the models that come with emotion-faces answer without a server; name a pushed model to serve "
        "with --model-dir, or install emotion-pipeline"
    )


if __name__ == "__main__":
    sys.exit(main())
