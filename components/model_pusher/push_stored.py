"""Version folders in an object store, where nothing can be renamed."""

import hashlib
import shutil
import time

from apache_beam.io.filesystems import FileSystems
from tfx.dsl.io import fileio

from emotion_pipeline.components.sources.object_store import list_stored

_GRAPH_FILE = "saved_model.pb"


def push_stored(model_dir: str, address: str) -> int:
    """Copies a SavedModel into a new version below an address, its graph last.

    Without its graph no server loads a version. What a push that was cut off has left stays, and its
    number is not used again.

    Args:
      model_dir: The SavedModel, in a local folder.
      address: Of the version folders, such as `s3://bucket/emotion`.

    Returns:
      The version, as `push.push_version` does.
    """
    versions: dict[int, dict[str, str]] = {}
    for file in list_stored(address):
        name, _, path = file.path.partition("/")
        if name.isdigit():
            versions.setdefault(int(name), {})[path] = file.address
    model = {
        f"{parent}/{name}"[len(model_dir.rstrip("/")) + 1 :]: f"{parent}/{name}"
        for parent, _, names in fileio.walk(model_dir.rstrip("/"))
        for name in names
    }
    newest = max(versions, default=0)
    if newest and _digest(versions[newest]) == _digest(model):
        return newest
    version = max(int(time.time()), newest + 1)
    for path in sorted(model, key=lambda path: (path == _GRAPH_FILE, path)):
        with (
            FileSystems.open(model[path]) as source,
            FileSystems.create(f"{address.rstrip('/')}/{version}/{path}") as target,
        ):
            shutil.copyfileobj(source, target)
    return version


def _digest(files: dict[str, str]) -> str:
    """Hashes names and contents of the files whose paths are given by name."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0")
        with FileSystems.open(files[name]) as file:
            digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()
