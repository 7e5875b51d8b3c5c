"""What the commands that run the pipeline share: from arguments to settings."""

import argparse
import os
import pathlib
from typing import Any

from emotion_pipeline.commands.terminal import path_argument
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources.addresses import (
    KINDS,
    SCHEMES,
    is_kaggle,
    is_local,
    is_stored,
)
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.settings import load_file, parse_assignment, with_overrides

EVAL_FRACTION_HELP = "share that becomes eval where SOURCE has one tree of classes (0.2)"


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


def filled(text: str) -> str:
    """Returns the value of a flag that is given.

    Raises:
      ArgumentTypeError: It is empty, as a shell's variable that is not set makes it: what was meant would be
        left out without a word.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; give a value, or leave it out")
    return text


def add_votes_argument(parser: argparse.ArgumentParser) -> None:
    """Declares `--votes`."""
    parser.add_argument(
        "--votes",
        metavar="FILE.csv",
        type=filled,
        help="several people's votes on the pictures; the settings votes_columns say which column is "
        "which class",
    )


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
    file = load_file(options.config) if options.config is not None else {}
    assigned = [parse_assignment(assignment) for assignment in options.assignments]
    given = {key: value for key, value in flags.items() if value is not None}
    if options.no_cache:
        given["cache"] = False
    return with_overrides(config, file, *assigned, given)


_LOCAL_PLACES = {
    "root": "ML Metadata and checkpoints need a local folder; give one, models go elsewhere with "
    "--push-dir",
    "artifacts_dir": "artifacts are written as local files; give a folder of this machine, or one that it "
    "and the workers mount under one path",
    "schema": "give a file of this machine",
    "against": "give a folder or file of this machine",
}
"""Settings that take no address, and why."""

_ADDRESSES = ", ".join(f"{scheme}://" for scheme in SCHEMES)


def check_places(config: PipelineConfig) -> None:
    """Checks, before anything is fetched or made, that each place can be written and read.

    Raises:
      UserError: An address stands where only a local path works, or is of a kind that nothing opens;
        nothing is at a local path that is to be read; or the engine could reach neither data nor artifacts.
    """
    if "://" in config.data and not (is_stored(config.data) or is_kaggle(config.data)):
        hint = (
            f" (here {path})"
            if (path := config.data.removeprefix("file://")) != config.data
            else ""
        )
        raise UserError(
            f"data: {config.data}: nothing here opens such an address; give a local path{hint}, "
            f"{_ADDRESSES}, kaggle:OWNER/NAME or the URL of a data set on kaggle.com"
        )
    for key, why in _LOCAL_PLACES.items():
        if "://" in getattr(config, key):
            name = "--root" if key == "root" else f"{key}:"
            raise UserError(f"{name} {getattr(config, key)}: {why}")
    if is_local(config.data) and not os.path.lexists(config.data):
        raise UserError(f"data: {config.data}: no such file or folder. {KINDS}")
    for key, path in _read_places(config):
        if not path or "://" in path:
            continue
        if not os.path.exists(path):
            raise UserError(f"{key}: {path}: no such file or folder")
        if key in ("votes", "schema") and os.path.isdir(path):
            raise UserError(f"{key}: {path}: is a folder; give a file")
    for key in ("data", "votes", "schema", "against"):
        path = getattr(config, key)
        if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
            raise UserError(
                f"{key}: {path}: is a pipe or a device, which may have no end and is read only once; give a file"
            )
    if "://" in config.push_dir and not is_stored(config.push_dir):
        raise UserError(
            f"--push-dir {config.push_dir}: give a local folder, or an address of {_ADDRESSES}"
        )
    if config.push_dir and not is_stored(config.push_dir):
        folder = pathlib.Path(config.push_dir)
        hindrance = f"{folder} is a file" if os.path.isfile(folder) else _hindrance(folder)
        if hindrance:  # now, and not after hours of training
            raise UserError(f"--push-dir {config.push_dir}: {hindrance}; give a folder for models")
    if config.beam.runner == "dataflow":
        raise UserError(
            "--runner dataflow: cannot work yet: its workers see no folder of this machine, and the data "
            "are copied here and the artifacts written here. Take flink or spark with a shared folder"
        )


def _read_places(config: PipelineConfig) -> list[tuple[str, str]]:
    """Returns the settings that name what is read beside the data, with what they name."""
    places = [(key, getattr(config, key)) for key in ("votes", "schema", "against")]
    places += [("train.teachers", folder) for folder in config.train.teachers]
    return [*places, ("train.warm_start", config.train.warm_start)]


def local_file(text: str) -> pathlib.Path:
    """Returns the path of an argument that names a file to be written here.

    Raises:
      ArgumentTypeError: It is an address, a folder, or empty, or cannot be made where it is to be.
    """
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text}: is written here; give a local path")
    path = path_argument(text)
    # Before the work, not after it.
    hindrance = "is a folder; give a file's name" if os.path.isdir(path) else _hindrance(path)
    if hindrance:
        raise argparse.ArgumentTypeError(f"{text}: {hindrance}")
    return path


def _hindrance(path: pathlib.Path) -> str | None:
    """Returns what keeps a path from being written: what is there, or where it is to be made."""
    try:
        there = next(one for one in (path, *path.absolute().parents) if one.exists())
    except OSError as error:
        return str(error.strerror)
    if there != path and not there.is_dir():
        return f"{there} is a file, where a folder is needed"
    if not os.access(there, os.W_OK):
        return f"{there} may not be written; choose another place"
    return None


def configure(
    config: PipelineConfig, options: argparse.Namespace, flags: dict[str, Any]
) -> PipelineConfig:
    """Does what `read_settings` does, for a run on this machine: paths become absolute.

    Raises:
      UserError: As `read_settings` and `check_places` say, or the root lies inside the data.
    """
    config = read_settings(config, options, flags)
    check_places(config)
    paths = {"root": str(pathlib.Path(config.root).resolve())}
    for key in ("push_dir", "against", "votes"):
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
