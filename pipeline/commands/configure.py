"""What the commands that run the pipeline share: from arguments to settings."""

import argparse
import pathlib
from typing import Any

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources.addresses import is_stored
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.settings import load_file, parse_assignment, with_overrides


def add_settings_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares `--config`, `--set` and `--no-cache`."""
    parser.add_argument("--config", metavar="FILE", help="settings in YAML")
    parser.add_argument(
        "--set",
        dest="assignments",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="one setting, such as thresholds.accuracy=0.5; may be repeated",
    )
    parser.add_argument("--no-cache", action="store_true", help="repeat finished components")


def read_settings(
    config: PipelineConfig, options: argparse.Namespace, flags: dict[str, Any]
) -> PipelineConfig:
    """Puts together defaults, file, `--set` and flags; the later wins. Paths stay as they are.

    Args:
      config: The defaults.
      options: With the arguments of `add_settings_arguments`.
      flags: What the command's own arguments say; None stands for one that was not given.

    Raises:
      UserError: A setting is unknown, has the wrong type or is out of its range.
    """
    if options.config is not None:
        config = with_overrides(config, load_file(options.config))
    for assignment in options.assignments:
        config = with_overrides(config, parse_assignment(assignment))
    given = {key: value for key, value in flags.items() if value is not None}
    if options.no_cache:
        given["cache"] = False
    return with_overrides(config, given)


def configure(
    config: PipelineConfig, options: argparse.Namespace, flags: dict[str, Any]
) -> PipelineConfig:
    """Does what `read_settings` does, for a run on this machine: paths become absolute.

    Raises:
      UserError: As `read_settings` says, or the root is no local folder or lies inside the data.
    """
    config = read_settings(config, options, flags)
    if is_stored(config.root):
        raise UserError(
            f"--root {config.root}: ML Metadata and checkpoints need a local folder; give one, "
            "artifacts go elsewhere with --set artifacts_dir=gs://..., models with --push-dir"
        )
    paths = {"root": str(pathlib.Path(config.root).resolve())}
    for key in ("push_dir", "against"):
        if getattr(config, key) and not is_stored(getattr(config, key)):
            paths[key] = str(pathlib.Path(getattr(config, key)).resolve())
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
