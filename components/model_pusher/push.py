"""Version folders for TensorFlow Serving."""

import hashlib
import os
import time

from tfx.dsl.io import fileio
from tfx.utils import io_utils

_PART_SUFFIX = ".part"


def push_version(model_dir: str, base_dir: str) -> int:
    """Copies a SavedModel into a new version folder, which appears whole or not at all.

    Args:
      model_dir: The SavedModel.
      base_dir: Folder of the version folders; it is made if need be.

    Returns:
      The version: the Unix time in seconds, or one more than the newest version where that is not
      smaller. Where the newest version holds the same files already, that version.
    """
    fileio.makedirs(base_dir)
    names = [name.rstrip("/") for name in fileio.listdir(base_dir)]
    for name in names:
        # What a push that was cut off has left; its name is no version.
        if name.endswith(_PART_SUFFIX):
            fileio.rmtree(os.path.join(base_dir, name))
    newest = max((int(name) for name in names if name.isdigit()), default=0)
    if newest and _digest(os.path.join(base_dir, str(newest))) == _digest(model_dir):
        return newest
    version = max(int(time.time()), newest + 1)
    part = os.path.join(base_dir, f"{version}{_PART_SUFFIX}")
    io_utils.copy_dir(model_dir, part)
    fileio.rename(part, os.path.join(base_dir, str(version)))
    return version


def _digest(folder: str) -> str:
    """Hashes the names and contents of all files of a folder."""
    digest = hashlib.sha256()
    for parent, _, names in sorted(fileio.walk(folder)):
        for name in sorted(names):
            path = os.path.join(parent, name)
            digest.update(os.path.relpath(path, folder).encode() + b"\0")
            with fileio.open(path, "rb") as file:
                digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()
