"""Version folders for TensorFlow Serving."""

import hashlib
import os
import time

from tfx.dsl.io import fileio

from emotion_pipeline.components.model_pusher.push_stored import push_stored
from emotion_pipeline.components.sources.addresses import is_stored

_PART_SUFFIX = ".part"


def push_version(model_dir: str, base_dir: str) -> int:
    """Copies a SavedModel into a new version folder, which appears whole or not at all.

    Args:
      model_dir: The SavedModel.
      base_dir: Folder of the version folders; it is made if need be. For an address in an object
        store see `push_stored`.

    Returns:
      The version: the Unix time in seconds, or one more than the newest version where that is not
      smaller. Where the newest version holds the same files already, that version.
    """
    if is_stored(base_dir):
        return push_stored(model_dir, base_dir)
    fileio.makedirs(base_dir)
    names = [name.rstrip("/") for name in fileio.listdir(base_dir)]
    for name in names:
        # What a push that was cut off has left; its name is no version.
        if name.endswith(_PART_SUFFIX):
            fileio.rmtree(os.path.join(base_dir, name))
    newest = max((int(name) for name in names if name.isdigit()), default=0)
    version = max(int(time.time()), newest + 1)
    part = os.path.join(base_dir, f"{version}{_PART_SUFFIX}")
    digest = _read(model_dir, copy_to=part)
    if newest and digest == _read(os.path.join(base_dir, str(newest))):
        fileio.rmtree(part)
        return newest
    fileio.rename(part, os.path.join(base_dir, str(version)))
    return version


def _read(folder: str, copy_to: str | None = None) -> str:
    """Hashes the names and contents of all files of a folder, and copies them if asked to."""
    digest = hashlib.sha256()
    for parent, _, names in sorted(fileio.walk(folder)):
        target = None if copy_to is None else os.path.join(copy_to, os.path.relpath(parent, folder))
        if target is not None:
            fileio.makedirs(target)
        for name in sorted(names):
            path = os.path.join(parent, name)
            with fileio.open(path, "rb") as file:
                data = file.read()
            digest.update(os.path.relpath(path, folder).encode() + b"\0")
            digest.update(hashlib.sha256(data).digest())
            if target is not None:
                with fileio.open(os.path.join(target, name), "wb") as file:
                    file.write(data)
    return digest.hexdigest()
