"""Version folders in an object store, where nothing can be renamed or locked."""

import contextlib
import random
import shutil
import time
import uuid

from apache_beam.io.filesystems import FileSystems

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.served_model import (
    GRAPH_FILE,
    digest_files,
    model_files,
    newest_version,
    next_version,
    version_files,
    version_numbers,
)
from emotion_pipeline.components.sources.object_store import list_stored

_CLAIMS = ".claims"
"""Folder of the numbers that pushers are about to use; a model server looks at numbers alone."""

_ATTEMPTS = 20


def push_stored(model_dir: str, address: str) -> int:
    """Copies a SavedModel into a new version below an address, its graph last.

    Without its graph no server loads a version. What a push that was cut off has left stays, and its
    number is not used again. A pusher first writes a claim of its number and then looks who else has
    one: of two that do so at once at least one sees the other and takes another number, since the
    stores list what was written before (S3 and Cloud Storage do).

    Args:
      model_dir: The SavedModel, in a local folder.
      address: Of the version folders, such as `s3://bucket/emotion`.

    Returns:
      The version, as `push.push_version` does.

    Raises:
      UserError: Others took every number that was tried.
    """
    address = address.rstrip("/")
    model = model_files(model_dir)
    newest = newest_version(address)
    if newest is not None and digest_files(model) == digest_files(version_files(address, newest)):
        return newest
    for attempt in range(_ATTEMPTS):
        taken = _numbers(address)
        # Those that met once draw apart.
        version = next_version(taken, time.time()) + random.randint(0, 3 * attempt)
        claim = f"{address}/{_CLAIMS}/{version}/{uuid.uuid4().hex}"
        _write(claim, b"claimed")  # Beam cannot write an empty object to S3.
        try:
            if _is_mine(address, version, claim):
                for path in sorted(model, key=lambda path: (path == GRAPH_FILE, path)):
                    with FileSystems.open(model[path]) as source:
                        _copy(source, f"{address}/{version}/{path}")
                return version
        finally:
            with contextlib.suppress(OSError, ValueError):
                FileSystems.delete([claim])
    raise UserError(
        f"{address}: others took every one of {_ATTEMPTS} version numbers at the same moment. Push again"
    )


def _numbers(address: str) -> set[int]:
    """Returns the version numbers that are used, whole or not, or claimed."""
    parts = [file.path.split("/") for file in list_stored(address)]
    names = {one[1] if one[0] == _CLAIMS and len(one) > 1 else one[0] for one in parts}
    return version_numbers(names)


def _is_mine(address: str, version: int, claim: str) -> bool:
    """Returns whether nobody else has claimed or begun this version."""
    files = [file.address for file in list_stored(address)]
    claims = f"{address}/{_CLAIMS}/{version}/"
    return not any(
        file != claim and file.startswith((claims, f"{address}/{version}/")) for file in files
    )


def _write(address: str, content: bytes) -> None:
    with FileSystems.create(address) as target:
        target.write(content)


def _copy(source, address: str) -> None:
    with FileSystems.create(address) as target:
        shutil.copyfileobj(source, target)
