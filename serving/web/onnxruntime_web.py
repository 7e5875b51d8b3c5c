"""ONNX Runtime for browsers, which the page without a server runs: three files of the npm package onnxruntime-web.

A release has them beside this module. One that is installed from the repository fetches the package once, by npm; what
is kept of it lies in the user's cache. Whatever they come from, they are the files of one version, known by their
digests.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import sys
import zipfile

from emotion_faces.cache import cache_dir
from emotion_faces.errors import UserError
from emotion_faces.web.npm import fetch_files

VERSION = "1.23.2"
"""Of onnxruntime-web; MIT licence, Copyright (c) Microsoft Corporation."""

INTEGRITY = "sha512-T09JUtMn+CZLk3mFwqiH0lgQf+4S7+oYHHtk6uhaYAAJI95bTcKi5bOOZYwORXfS/RLZCjDDEXGWIuOCAFlEjg=="
"""Of the package's archive, as npm's registry states it."""

FILES = {
    "ort.js": (
        "ort.wasm.min.mjs",
        "69751720f611e37d1ce2fa3c6ebaa80f949014752636c5f8887a63d40feadcc7",
    ),
    "ort-wasm.js": (
        "ort-wasm-simd-threaded.mjs",
        "90a557d15c02bac4504d95b67f431d8594635ed2a0a62a7f2cd83d090ff91d3e",
    ),
    "ort-wasm.wasm": (
        "ort-wasm-simd-threaded.wasm",
        "45eaee27761ad883742a8d4b8fce1538d60ce43b51adf1726fafccc59b8c1a15",
    ),
}
"""Name in the page: name in the package's `dist`, and SHA-256. Servers know `.js` better than `.mjs`."""

BUNDLED = pathlib.Path(__file__).with_name("onnxruntime-web.zip")

_MAX_FILE_BYTES = 16 * 1024 * 1024


def runtime_files(bundled: pathlib.Path = BUNDLED) -> dict[str, bytes]:
    """Returns the files by their names in the page: those that came along, those in the cache, or fetched ones.

    Raises:
      UserError: Those that came along are damaged, or none came and they cannot be fetched.
    """
    if bundled.is_file():
        files = _read(bundled)
        if files is None:
            raise UserError(f"{bundled} is damaged: install emotion-faces anew")
        return files
    cached = cache_dir() / f"onnxruntime-web-{VERSION}.zip"
    files = _read(cached)
    if files is None:
        print(f"fetching onnxruntime-web {VERSION} (26 MB), once; {cached}", file=sys.stderr)
        files = fetch(cached)
    return files


def fetch(target: pathlib.Path) -> dict[str, bytes]:
    """Fetches the package, checks it, writes the three files as a zip archive and returns them.

    Raises:
      UserError: The package cannot be fetched, or is another one.
    """
    paths = [f"dist/{inside}" for inside, _ in FILES.values()]
    try:
        bodies = fetch_files("onnxruntime-web", VERSION, INTEGRITY, paths)
    except UserError as error:
        raise UserError(f"{error}; a release of emotion-faces has it") from None
    files = dict(zip(FILES, bodies, strict=True))
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_LZMA) as packed:
        for name, data in files.items():
            # No time of day: the same files make the same archive.
            packed.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_LZMA)
    part.replace(target)
    return files


def _read(path: pathlib.Path) -> dict[str, bytes] | None:
    """The archive's files; None where it is not there, or holds others."""
    files = {}
    try:
        with zipfile.ZipFile(path) as packed:
            for name, (_, digest) in FILES.items():
                with packed.open(name) as file:
                    files[name] = file.read(_MAX_FILE_BYTES)
                if hashlib.sha256(files[name]).hexdigest() != digest:
                    return None
    # Damaged archives make zipfile and lzma raise almost anything.
    except Exception:
        return None
    return files
