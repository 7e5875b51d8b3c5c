"""`emotion run`: the pipeline."""

import argparse
import pathlib
import sys
from typing import Any

from components.errors import UserError
from components.sources.object_store import is_stored
from pipeline.commands.terminal import USAGE_STATUS, quiet
from pipeline.configs import RECIPES, RUNNERS, PipelineConfig
from pipeline.settings import load_file, parse_assignment, with_overrides

HELP = "Run the pipeline: from folders of images to a pushed model."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion run`."""
    parser.add_argument(
        "--data",
        metavar="SOURCE",
        help="a folder, a .zip, kaggle:OWNER/NAME or its URL, or sample",
    )
    parser.add_argument("--root", metavar="DIR", help="everything that the run writes goes here")
    parser.add_argument("--recipe", choices=list(RECIPES), default="original", help="how to train")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--balance", choices=["translate", "none"])
    parser.add_argument("--max-shift-px", type=int)
    parser.add_argument("--eval-fraction", type=float)
    parser.add_argument("--push-dir", metavar="DIR", help="folder of version folders")
    _add_beam_arguments(parser)
    parser.add_argument("--config", metavar="FILE", help="settings in YAML")
    parser.add_argument(
        "--set",
        dest="assignments",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="one setting, such as thresholds.accuracy=0.5; may be repeated",
    )
    parser.add_argument("--summary", metavar="FILE.json", type=pathlib.Path)
    parser.add_argument("--no-cache", action="store_true", help="repeat finished components")


def _add_beam_arguments(parser: argparse.ArgumentParser) -> None:
    beam = parser.add_argument_group("where the Beam steps run")
    beam.add_argument("--runner", choices=RUNNERS, help="an engine; local is this process")
    beam.add_argument("--flink-master", metavar="HOST:PORT", help="REST address of the JobManager")
    beam.add_argument("--spark-master", metavar="spark://HOST:PORT")
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


def make_config(options: argparse.Namespace) -> PipelineConfig:
    """Puts together defaults, recipe, file, `--set` and flags; the later wins.

    Raises:
      UserError: A setting is unknown, has the wrong type or is out of its range.
    """
    config = with_overrides(PipelineConfig(), RECIPES[options.recipe])
    if options.config:
        config = with_overrides(config, load_file(options.config))
    for assignment in options.assignments:
        config = with_overrides(config, parse_assignment(assignment))
    flags: dict[str, Any] = {
        key: getattr(options, key)
        for key in (
            "data", "root", "seed", "balance", "max_shift_px", "eval_fraction", "push_dir"
        )
        if getattr(options, key) is not None
    }  # fmt: skip
    train = {
        key: getattr(options, key)
        for key in ("epochs", "batch_size")
        if getattr(options, key) is not None
    }
    if train:
        flags["train"] = train
    beam = {key: getattr(options, key) for key in _BEAM_FLAGS if getattr(options, key) is not None}
    if options.beam_args:
        beam["args"] = [*config.beam.args, *options.beam_args]
    if beam:
        flags["beam"] = beam
    if options.no_cache:
        flags["cache"] = False
    config = with_overrides(config, flags)
    if is_stored(config.root):
        raise UserError(
            f"--root {config.root}: ML Metadata and checkpoints need a local folder; give one, "
            "artifacts go elsewhere with --set artifacts_dir=gs://..., models with --push-dir"
        )
    paths = {"root": str(pathlib.Path(config.root).resolve())}
    if config.push_dir and not is_stored(config.push_dir):
        paths["push_dir"] = str(pathlib.Path(config.push_dir).resolve())
    config = with_overrides(config, paths)
    source = pathlib.Path(config.data).resolve()
    if (
        config.data != "sample"
        and source.is_dir()
        and pathlib.Path(config.root).is_relative_to(source)
    ):
        raise UserError(
            f"--root {config.root}: lies inside the data {source}; give a folder outside it"
        )
    return config


def execute(options: argparse.Namespace) -> int:
    """Runs the pipeline; the exit status says how it ended."""
    try:
        config = make_config(options)
    except UserError as error:
        print(f"emotion: {error}", file=sys.stderr)
        return USAGE_STATUS
    log = pathlib.Path(config.root) / "logs" / "run.log"
    with quiet(log, options.verbose) as terminal:
        from pipeline.local_runner import run
        from pipeline.summary import format_summary

        summary = run(config)
        text = summary.to_json()
        target = options.summary or pathlib.Path(config.root) / "summary.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(format_summary(summary), file=terminal)
        print(f"summary: {target}\nlog: {log}", file=terminal)
    return summary.status.exit_status
