"""Version folders for TensorFlow Serving."""

import errno
import os
import pathlib
import shutil
import socket
import time
import uuid

from emotion_pipeline.components.locks import alone
from emotion_pipeline.components.model_pusher.push_stored import push_stored
from emotion_pipeline.components.served_model import (
    GRAPH_FILE,
    digest_files,
    model_files,
    newest_version,
    next_version,
    version_files,
    version_numbers,
)
from emotion_pipeline.components.sources.addresses import is_stored

LOCK_FILE = ".push.lock"
"""In the push folder while a push lasts; a model server looks at names that are numbers alone."""

_PART_SUFFIX = ".part"
_IS_THERE = (errno.ENOTEMPTY, errno.EEXIST)


def push_version(model_dir: str, base_dir: str) -> int:
    """Copies a SavedModel into a new version folder, which appears whole or not at all.

    Pushers of one folder come one after the other. Where its filesystem has no locks each still
    writes aside under a name of its own, and a version that is taken meanwhile is not touched.

    Args:
      model_dir: The SavedModel, in a local folder.
      base_dir: Folder of the version folders; it is made if need be. For an address in an object
        store see `push_stored`.

    Returns:
      The version: the Unix time in seconds, or one more than the newest version where that is not
      smaller. Where the newest version holds the same files already, that version.

    Raises:
      FileNotFoundError: There is no SavedModel.
    """
    model = model_files(model_dir)
    if GRAPH_FILE not in model:
        raise FileNotFoundError(f"{model_dir}: no SavedModel to push")
    if is_stored(base_dir):
        return push_stored(model_dir, base_dir)
    base = pathlib.Path(base_dir)
    base.mkdir(parents=True, exist_ok=True)
    lock = base / LOCK_FILE
    with alone(lock, f"the push folder {base}", wait=True, leave=False) as is_alone:
        if is_alone:
            # What pushes that were cut off have left: nobody else writes here now.
            for left in base.glob(f"*{_PART_SUFFIX}"):
                shutil.rmtree(left)
        newest = newest_version(base_dir)
        if newest is not None and digest_files(model) == digest_files(
            version_files(base_dir, newest)
        ):
            return newest
        part = base / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}{_PART_SUFFIX}"
        shutil.copytree(model_dir, part)
        while True:
            taken = version_numbers(path.name for path in base.iterdir())
            version = next_version(taken, time.time())
            try:
                part.rename(base / str(version))
            except OSError as error:
                if error.errno not in _IS_THERE:
                    raise
            else:
                return version
