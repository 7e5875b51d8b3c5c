"""Data sets in an object store: what is there, and a copy of it on this machine."""

import concurrent.futures
import hashlib
import importlib.util
import pathlib
import shutil
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.progress import waiting_for

_PARALLEL_FETCHES = 16
"""A fetch of a small object is all waiting."""


_OPTIONS = PipelineOptions([])


class StoredFile(NamedTuple):
    """An object: its address, its posix path below the listed one, size and time of change."""

    address: str
    path: str
    bytes: int
    changed: float


def list_stored(address: str) -> list[StoredFile]:
    """Returns the object of an address, or else every object below it, sorted by path.

    Raises:
      UserError: It cannot be listed, or a key is no path.
    """
    if address.startswith("s3://") and importlib.util.find_spec("boto3") is None:
        raise UserError(f"{address}: needs boto3, which is not installed; pip install boto3")
    if address.startswith("s3://") and not _has_s3_key():
        # Beam's client tries again and again for minutes.
        raise UserError(
            f"{address}: no key for S3 is found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or make "
            "a profile in ~/.aws/credentials"
        )
    # Beam's S3 client wants options, which else only a Beam pipeline sets; without any it takes
    # endpoint, region and key from the environment.
    FileSystems.set_options(_OPTIONS)
    base = address.rstrip("/")
    try:
        # Clients of stores try again for minutes where nobody answers, and say nothing.
        with waiting_for(f"the store of {address} to answer"):
            found = FileSystems.match([base])[0].metadata_list
            below = not found
            if below:
                found = FileSystems.match([f"{base}/**"])[0].metadata_list
    except (BeamIOError, OSError, ValueError) as error:
        raise UserError(
            f"{address}: cannot be listed ({error}). See that the address is right and that this "
            "machine has the store's credentials"
        ) from error
    files = []
    for one in found:
        if one.path.endswith("/"):
            # A marker that some tools leave for a folder.
            continue
        path = one.path[len(base) + 1 :] if below else base.rpartition("/")[2]
        if any(part in ("", ".", "..") for part in path.split("/")):
            raise UserError(f"{one.path}: a name that is no path below {address}; rename it")
        files.append(
            StoredFile(one.path, path, one.size_in_bytes, one.last_updated_in_seconds or 0.0)
        )
    return sorted(files, key=lambda file: file.path)


def _has_s3_key() -> bool:
    """Returns whether boto3 finds a key: in the environment, a profile or the machine's own role."""
    import boto3

    return boto3.session.Session().get_credentials() is not None


def listing_digest(address: str, files: list[StoredFile]) -> str:
    """Returns 12 hex digits that change when an object comes, goes or changes."""
    digest = hashlib.sha256(address.encode())
    for file in files:
        digest.update(f"\n{file.path}\0{file.bytes}\0{file.changed}".encode())
    return digest.hexdigest()[:12]


def fetch_stored(
    files: list[StoredFile],
    folder: pathlib.Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Copies objects into a folder, under their paths.

    Raises:
      UserError: One cannot be read, or has another size than was listed.
    """
    openers = threading.local()

    def fetch(file: StoredFile) -> None:
        if not hasattr(openers, "open"):
            openers.open = _opener(file.address)
        target = folder / file.path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with openers.open(file.address) as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy)
        except (BeamIOError, OSError, ValueError) as error:
            raise UserError(f"{file.address}: cannot be copied to {target}: {error}") from error
        size = target.stat().st_size
        if size != file.bytes:
            raise UserError(
                f"{file.address}: {size} bytes came, {file.bytes} were listed; it was changed "
                "meanwhile, start the run again"
            )

    with concurrent.futures.ThreadPoolExecutor(_PARALLEL_FETCHES) as pool:
        for done, _ in enumerate(pool.map(fetch, files), start=1):
            progress(done, len(files))


def read_stored(address: str) -> bytes:
    """Returns the content of one object.

    Raises:
      UserError: It is not there, is a folder, or cannot be read.
    """
    if [file.address for file in list_stored(address)] != [address]:
        raise UserError(f"{address}: no object is stored there")
    try:
        with _opener(address)(address) as file:
            return file.read()
    except (BeamIOError, OSError, ValueError) as error:
        raise UserError(f"{address}: cannot be read: {error}") from error


def _opener(address: str) -> Callable[[str], Any]:
    """Returns what opens many objects of a store, for one thread.

    Beam's filesystems make a new client for each object, which takes longer than a small object.
    """
    if address.startswith("s3://"):
        from apache_beam.io.aws.s3io import S3IO

        return S3IO(options=_OPTIONS).open
    if address.startswith("gs://"):
        from apache_beam.io.gcp.gcsio import GcsIO

        return GcsIO(pipeline_options=_OPTIONS).open
    return FileSystems.open
