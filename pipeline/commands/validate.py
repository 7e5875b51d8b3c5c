"""`emotion validate`: what is in the data, without training."""

import argparse
import pathlib
import sys

from emotion_pipeline.commands.configure import add_settings_arguments, configure
from emotion_pipeline.commands.terminal import USAGE_STATUS, going_on, path_argument, quiet
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.write_file import write_whole
from emotion_pipeline.configs import PipelineConfig

HELP = "Validate a data set: findings, statistics, anomalies and drift, without training."

DEFAULT_ROOT = "runs/validation"
SOURCE_HELP = "a folder, a .zip or .tar.gz, fer2013.csv, kaggle:OWNER/NAME or its URL, or sample"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion validate`."""
    parser.add_argument("data", metavar="SOURCE", help=SOURCE_HELP)
    parser.add_argument(
        "--root", metavar="DIR", help=f"everything written goes here ({DEFAULT_ROOT})"
    )
    parser.add_argument("--schema", metavar="FILE", help="another schema than the curated one")
    parser.add_argument(
        "--against",
        metavar="RUN_OR_STATS",
        help="compare with an earlier run: its root, or its statistics",
    )
    parser.add_argument(
        "--requests",
        action="store_true",
        help="SOURCE holds pictures without labels that a server was sent; needs --against",
    )
    parser.add_argument("--eval-fraction", type=float)
    parser.add_argument("--json", metavar="FILE.json", type=path_argument, help="the outcome")
    parser.add_argument(
        "--report", metavar="FILE.html", type=path_argument, help="the outcome as a page to look at"
    )
    add_settings_arguments(parser)


def execute(options: argparse.Namespace) -> int:
    """Validates a data set; the exit status says how it ended."""
    try:
        config = configure(
            PipelineConfig(root=DEFAULT_ROOT),
            options,
            {
                key: getattr(options, key)
                for key in ("data", "root", "schema", "against", "eval_fraction")
            },
        )
        if options.requests and not config.against:
            raise UserError("--requests: give the run to compare with, as --against RUN")
    except UserError as error:
        print(f"emotion: {error}", file=sys.stderr)
        return USAGE_STATUS
    log = pathlib.Path(config.root) / "logs" / "validate.log"
    with going_on(), quiet(log, options.verbose) as terminal:
        from emotion_pipeline.validation import (
            format_validation,
            validate,
            validate_requests,
            write_validation_report,
        )

        validation = validate_requests(config) if options.requests else validate(config)
        if options.json:
            write_whole(options.json, validation.to_json())
        print(format_validation(validation), file=terminal)
        if options.report:
            if write_validation_report(validation, config.data, options.report):
                print(f"report: {options.report}", file=terminal)
            else:
                print("report: none, since there is nothing to show", file=terminal)
        print(f"log: {log}", file=terminal)
    return validation.status.exit_status
