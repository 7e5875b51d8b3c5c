"""The `emotion` command.

TensorFlow and TFX are imported only inside the commands that need them, so that `--help` answers at
once.
"""

import argparse
import sys
import warnings
from collections.abc import Sequence

from emotion_faces.cli import Version, parse_command, run_command
from emotion_faces.commands import annotate, explain, predict, serve, web
from emotion_faces.errors import UsageError as ServingUsageError
from emotion_faces.errors import UserError as ServingUserError
from emotion_pipeline.commands import cluster, kubeflow, report, run, sample_data, schema, validate
from emotion_pipeline.commands.model_choice import saved_model
from emotion_pipeline.commands.terminal import (
    FAILED_STATUS,
    USAGE_STATUS,
    add_verbose,
    calm_warnings,
    spell_otherwise,
)
from emotion_pipeline.components.errors import UsageError, UserError
from emotion_pipeline.components.failures import describe_failure

DISTRIBUTION = "emotion-pipeline"
"""The name under which the project is installed."""

_STATUSES: dict[type[Exception], int] = {
    UsageError: USAGE_STATUS,
    ServingUsageError: USAGE_STATUS,
    UserError: FAILED_STATUS,
    ServingUserError: FAILED_STATUS,
}
_COMMANDS = {
    "run": run,
    "validate": validate,
    "report": report,
    "schema": schema,
    "serve": serve,
    "predict": predict,
    "annotate": annotate,
    "explain": explain,
    "web": web,
    "sample-data": sample_data,
    "cluster": cluster,
    "kubeflow": kubeflow,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status."""
    spell_otherwise()
    calm_warnings()
    options = parse_command(make_parser(), arguments, describe_failure)
    if not options.verbose:
        # Google's client says by it that it will not know this Python for ever.
        warnings.simplefilter("ignore", FutureWarning)
    return run_command(options, _STATUSES, describe_failure)


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command."""
    parser = argparse.ArgumentParser(prog="emotion", description="Facial-emotion recognition.")
    parser.add_argument(
        "--version", action=Version, distribution=DISTRIBUTION, help="say the version"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    add_verbose(common)
    for name, module in _COMMANDS.items():
        command = commands.add_parser(
            name, parents=[common], help=module.HELP, description=module.HELP
        )
        module.add_arguments(command)
        command.set_defaults(execute=module.execute, saved_model=saved_model)
    return parser


if __name__ == "__main__":
    sys.exit(main())
