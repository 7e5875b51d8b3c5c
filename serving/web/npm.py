"""Packages of the npm registry, fetched by npm, so that its settings hold, and known by their digests."""

from __future__ import annotations

import base64
import hashlib
import io
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

from emotion_faces.errors import UserError

_FETCH_TIMEOUT_SECS = 300
_MAX_ARCHIVE_BYTES = 64 * 1024 * 1024
_MAX_FILE_BYTES = 16 * 1024 * 1024


def fetch_files(name: str, version: str, integrity: str, paths: list[str]) -> list[bytes]:
    """Fetches a package and returns files of it.

    Args:
      name: The package.
      version: The one that is meant.
      integrity: `sha512-` and the SHA-512 of its archive in base64, as the registry states it.
      paths: Files that the package has.

    Raises:
      UserError: npm is not installed or gives nothing, or what it gives is another file.
    """
    archive = _archive(name, version)
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != integrity:
        raise UserError(
            f"what the npm registry gave as {name} {version} is another file: {found} in place of {integrity}"
        )
    files = []
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        for path in paths:
            member = package.extractfile(f"package/{path}")
            assert member is not None, path  # the archive is the one that was looked into
            files.append(member.read(_MAX_FILE_BYTES))
    return files


def _archive(name: str, version: str) -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(f"{name} {version} is fetched by npm, which is not on PATH: install npm")
    try:
        with tempfile.TemporaryDirectory(prefix="emotion-") as folder:
            subprocess.run(
                [npm, "pack", "--silent", "--ignore-scripts", f"{name}@{version}"],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=_FETCH_TIMEOUT_SECS,
                check=True,
            )
            with (pathlib.Path(folder) / f"{name}-{version}.tgz").open("rb") as file:
                return file.read(_MAX_ARCHIVE_BYTES)
    except subprocess.CalledProcessError as error:
        told = [f"npm's exit status {error.returncode}", *error.stderr.strip().splitlines()][-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        told = str(error)
    raise UserError(f"{name} {version} cannot be fetched from the npm registry ({told})")
