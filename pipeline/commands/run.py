"""`emotion run`: the pipeline."""

import argparse
import pathlib
from collections.abc import Callable
from typing import Any

from emotion_pipeline.commands.configure import (
    EVAL_FRACTION_HELP,
    add_settings_arguments,
    add_votes_argument,
    configure,
    filled,
    local_file,
)
from emotion_pipeline.commands.terminal import (
    FAILED_STATUS,
    USAGE_STATUS,
    going_on,
    quiet,
    tell_error,
)
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.failures import describe_failure
from emotion_pipeline.components.image_findings.kinds import REPORT
from emotion_pipeline.components.write_file import write_whole
from emotion_pipeline.configs import RUNNERS, PipelineConfig
from emotion_pipeline.process_time import process_start
from emotion_pipeline.recipes import RECIPES
from emotion_pipeline.root_lock import owned_root
from emotion_pipeline.settings import with_overrides

HELP = "Run the pipeline: from folders of images to a pushed model."
GROUP_BY_HELP = "what names a person or a film in a path: its pictures go to one split, where the split is drawn"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion run`."""
    add_run_settings(parser)
    parser.add_argument(
        "--summary", metavar="FILE.json", type=local_file, help="the outcome (ROOT/summary.json)"
    )


def add_run_settings(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments that `run_settings` reads."""
    parser.add_argument(
        "--data",
        metavar="SOURCE",
        help="a folder, a .zip or .tar.gz, fer2013.csv, kaggle:OWNER/NAME or its URL, or sample",
    )
    add_votes_argument(parser)
    parser.add_argument("--root", metavar="DIR", help="everything that the run writes goes here")
    parser.add_argument("--recipe", choices=list(RECIPES), default="original", help="how to train")
    parser.add_argument("--epochs", type=int, help="passes over train")
    parser.add_argument("--batch-size", type=int, help="images a step")
    parser.add_argument("--seed", type=int, help="seeds everything that is drawn")
    parser.add_argument(
        "--balance", choices=["translate", "none"], help="how classes are made equally large"
    )
    parser.add_argument("--max-shift-px", type=int, help="largest shift of a translated copy")
    parser.add_argument("--eval-fraction", type=float, help=EVAL_FRACTION_HELP)
    parser.add_argument("--group-by", metavar="REGEX", type=filled, help=GROUP_BY_HELP)
    parser.add_argument(
        "--keep-leaks",
        action="store_true",
        help="train on the pictures that are also in eval too, as the published method does",
    )
    parser.add_argument("--push-dir", metavar="DIR", type=filled, help="folder of version folders")
    _add_beam_arguments(parser)
    add_settings_arguments(parser)


def _add_beam_arguments(parser: argparse.ArgumentParser) -> None:
    beam = parser.add_argument_group("where the Beam steps run")
    beam.add_argument("--runner", choices=RUNNERS, help="an engine; local is this process")
    beam.add_argument("--flink-master", metavar="HOST:PORT", help="REST address of the JobManager")
    beam.add_argument("--spark-master", metavar="spark://HOST:PORT", help="address of the master")
    beam.add_argument(
        "--job-endpoint",
        metavar="HOST:PORT",
        help="a Beam job server; without it a run on Flink or Spark starts one",
    )
    beam.add_argument(
        "--worker-pool", metavar="HOST:PORT", help="Beam's worker pool, as the engine sees it"
    )
    beam.add_argument("--worker-image", metavar="IMAGE", help="the workers' image, for Dataflow")
    beam.add_argument(
        "--beam-arg",
        dest="beam_args",
        metavar="--KEY=VALUE",
        action="append",
        help="an argument of Beam's; may be repeated: --beam-arg=--project=mine",
    )


_BEAM_FLAGS = (
    "runner", "flink_master", "spark_master", "job_endpoint", "worker_pool", "worker_image"
)  # fmt: skip


def run_settings(
    options: argparse.Namespace,
    defaults: PipelineConfig,
    read: Callable[[PipelineConfig, argparse.Namespace, dict[str, Any]], PipelineConfig],
) -> PipelineConfig:
    """Puts together defaults, recipe, file, `--set` and flags; the later wins.

    Args:
      options: With the arguments of `add_run_settings`.
      defaults: What the recipe goes over.
      read: `configure`, or `read_settings` where paths stay as they are.

    Raises:
      UserError: As `read` says.
    """
    keys = (
        "data",
        "votes",
        "root",
        "seed",
        "balance",
        "max_shift_px",
        "eval_fraction",
        "group_by",
        "push_dir",
    )
    flags: dict[str, Any] = {key: getattr(options, key) for key in keys}
    train = {
        key: getattr(options, key)
        for key in ("epochs", "batch_size")
        if getattr(options, key) is not None
    }
    if train:
        flags["train"] = train
    if options.keep_leaks:
        flags["findings"] = {"cross_split_copies": REPORT, "cross_split_near_copies": REPORT}
    beam = {key: getattr(options, key) for key in _BEAM_FLAGS if getattr(options, key) is not None}
    if beam:
        flags["beam"] = beam
    config = read(with_overrides(defaults, RECIPES[options.recipe]), options, flags)
    if options.beam_args:
        args = [*config.beam.args, *options.beam_args]
        config = with_overrides(config, {"beam": {"args": args}})
    return config


def make_config(options: argparse.Namespace) -> PipelineConfig:
    """Returns the settings of `emotion run`, whose arguments `add_arguments` declares.

    Raises:
      UserError: As `configure` says.
    """
    return run_settings(options, PipelineConfig(), configure)


def execute(options: argparse.Namespace) -> int:
    """Runs the pipeline; the exit status says how it ended."""
    try:
        config = make_config(options)
    except UserError as error:
        tell_error(error)
        return USAGE_STATUS
    # Before the first line of the log: a run that has the root keeps its log and its summary.
    with owned_root(config):
        return _run(config, options)


def _run(config: PipelineConfig, options: argparse.Namespace) -> int:
    log = pathlib.Path(config.root) / "logs" / "run.log"
    with going_on(), quiet(log, options.verbose) as terminal:
        from emotion_pipeline.local_runner import run
        from emotion_pipeline.outcome.summary_text import format_summary

        # From when the user waits: half of a short run is imports.
        summary = run(config, process_start())
        target = options.summary or pathlib.Path(config.root) / "summary.json"
        print(format_summary(summary), file=terminal)
        if summary.report:
            print(f"report: {summary.report} (run {summary.run})", file=terminal)
        status = summary.status.exit_status
        try:
            write_whole(target, summary.to_json())
            print(f"summary: {target}", file=terminal)
        except OSError as error:
            print(f"no summary: {describe_failure(error, str(target))}", file=terminal)
            status = status or FAILED_STATUS
        print(f"log: {log}", file=terminal)
    return status
