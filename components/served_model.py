"""What a push folder serves: the one answer to which model is the one to beat."""

import hashlib
import os
import pathlib
from collections.abc import Iterable, Mapping

from apache_beam.io.filesystems import FileSystems
from tfx.dsl.io import fileio
from tfx.utils import io_utils

from emotion_faces.model_folder import MAX_VERSION, version_number
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources.addresses import is_stored
from emotion_pipeline.components.sources.object_store import fetch_stored, list_stored

GRAPH_FILE = "saved_model.pb"
"""Without it a folder is no SavedModel, and no model server loads it."""


def newest_version(push_dir: str) -> int | None:
    """Returns the number of the version that a model server serves; None where there is none.

    That is the largest among the folders that hold a SavedModel.

    Args:
      push_dir: Folder of the version folders, or its address in an object store.
    """
    if is_stored(push_dir):
        names = {
            file.path.split("/")[0]
            for file in list_stored(push_dir)
            if file.path.split("/")[1:] == [GRAPH_FILE]
        }
    elif fileio.isdir(push_dir):
        names = {
            name
            for name in (entry.rstrip("/") for entry in fileio.listdir(push_dir))
            if fileio.exists(os.path.join(push_dir, name, GRAPH_FILE))
        }
    else:
        names = set()
    return max(version_numbers(names), default=None)


def version_numbers(names: Iterable[str]) -> set[int]:
    """Returns the versions that the names of folders say; other folders are none of versions."""
    return {version for name in names if (version := version_number(name)) is not None}


def next_version(taken: Iterable[int], now: float) -> int:
    """Returns the number of the next version: the time in seconds, or one above the largest that is taken.

    Raises:
      UserError: The largest that there can be is taken.
    """
    version = max(int(now), max(taken, default=0) + 1)
    if version > MAX_VERSION:
        raise UserError(
            f"there is a version {MAX_VERSION}, above which no model server reads any: remove its folder"
        )
    return version


def describe_served(push_dir: str) -> str:
    """Returns `<version>-<hash of its files>` of the version that is served, or `none`."""
    version = newest_version(push_dir)
    if version is None:
        return "none"
    return f"{version}-{digest_files(version_files(push_dir, version))[:16]}"


def version_files(push_dir: str, version: int) -> dict[str, str]:
    """Returns the files of a version by their posix path in it; empty where it is not there."""
    folder = f"{push_dir.rstrip('/')}/{version}"
    if not is_stored(push_dir):
        return model_files(folder)
    return {file.path: file.address for file in list_stored(folder)}


def model_files(folder: str) -> dict[str, str]:
    """Returns the paths of a local folder's files by their posix path in it."""
    folder = folder.rstrip("/")
    if not fileio.isdir(folder):
        return {}
    return {
        os.path.relpath(os.path.join(parent, name), folder): os.path.join(parent, name)
        for parent, _, names in fileio.walk(folder)
        for name in names
    }


def digest_files(files: Mapping[str, str]) -> str:
    """Hashes names and contents of files that are given by name, as 64 hex digits."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0")
        with FileSystems.open(files[name]) as file:
            digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


def fetch_version(push_dir: str, version: int, folder: str) -> None:
    """Copies a version's files into a local folder."""
    address = f"{push_dir.rstrip('/')}/{version}"
    if is_stored(push_dir):
        fetch_stored(list_stored(address), pathlib.Path(folder))
    else:
        io_utils.copy_dir(address, folder)
