"""`emotion validate`: what is in the data, without training."""

import argparse
import dataclasses
import pathlib

from emotion_pipeline.commands.configure import (
    EVAL_FRACTION_HELP,
    add_settings_arguments,
    add_votes_argument,
    configure,
    filled,
    local_file,
)
from emotion_pipeline.commands.run import GROUP_BY_HELP
from emotion_pipeline.commands.terminal import USAGE_STATUS, going_on, quiet, tell_error
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.write_file import write_whole
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.process_time import seconds_since_start
from emotion_pipeline.root_lock import owned_root

HELP = "Validate a data set: findings, statistics, anomalies and drift, without training."

DEFAULT_ROOT = "runs/validation"
SOURCE_HELP = "a folder, a .zip or .tar.gz, fer2013.csv, kaggle:OWNER/NAME or its URL, or sample"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion validate`."""
    parser.add_argument("data", metavar="SOURCE", help=SOURCE_HELP)
    parser.add_argument(
        "--root", metavar="DIR", help=f"everything written goes here ({DEFAULT_ROOT})"
    )
    add_votes_argument(parser)
    parser.add_argument(
        "--schema", metavar="FILE", type=filled, help="another schema than the curated one"
    )
    parser.add_argument(
        "--against",
        metavar="RUN_OR_STATS",
        type=filled,
        help="compare with an earlier run: its root, or its statistics",
    )
    parser.add_argument(
        "--requests",
        action="store_true",
        help="SOURCE holds pictures without labels that a server was sent; needs --against",
    )
    parser.add_argument("--eval-fraction", type=float, help=EVAL_FRACTION_HELP)
    parser.add_argument("--group-by", metavar="REGEX", type=filled, help=GROUP_BY_HELP)
    parser.add_argument("--json", metavar="FILE.json", type=local_file, help="the outcome")
    parser.add_argument(
        "--report", metavar="FILE.html", type=local_file, help="the outcome as a page to look at"
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
                for key in (
                    "data",
                    "votes",
                    "root",
                    "schema",
                    "against",
                    "eval_fraction",
                    "group_by",
                )
            },
        )
        if options.requests and not config.against:
            raise UserError("--requests: give the run to compare with, as --against RUN")
    except UserError as error:
        tell_error(error)
        return USAGE_STATUS
    with owned_root(config):
        return _validate(config, options)


def _validate(config: PipelineConfig, options: argparse.Namespace) -> int:
    log = pathlib.Path(config.root) / "logs" / "validate.log"
    with going_on(), quiet(log, options.verbose) as terminal:
        from emotion_pipeline.validation.validate import (
            format_validation,
            validate,
            validate_requests,
            write_validation_report,
        )

        validation = validate_requests(config) if options.requests else validate(config)
        validation = dataclasses.replace(validation, seconds=seconds_since_start())
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
