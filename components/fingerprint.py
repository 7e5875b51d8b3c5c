"""Hashes of source code: of packages as they are, and of all that a component's result depends on."""

import functools
import hashlib
import importlib.util
import json
import os
import pathlib

from emotion_pipeline.components.imports import file_stamp, needed_files, project_dir
from emotion_pipeline.components.versions import stack_versions


def code_fingerprint(*names: str) -> str:
    """Hashes the source of modules and of packages with all below them.

    It tells whether two machines have the same code; for the key of a cache see `step_fingerprint`.

    Args:
      *names: Dotted names, such as `emotion_pipeline.components.class_balancer`; none of them is imported.

    Returns:
      16 hex digits, the same on every machine with the same sources.

    Raises:
      ModuleNotFoundError: A name is not importable.
    """
    digest = hashlib.sha256()
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"no module named {name!r} with a source file")
        origin = pathlib.Path(spec.origin)
        is_package = spec.submodule_search_locations is not None
        for path in _sources(origin.parent) if is_package else [origin]:
            digest.update(f"{name}/{path.relative_to(origin.parent).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the modules below a folder, links followed: a package is a link in the source tree."""
    return sorted(
        pathlib.Path(parent, name)
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.endswith(".py")
    )


def step_fingerprint(*names: str) -> str:
    """Hashes all that decides what a step makes, beside its inputs and properties.

    TFX's cache looks at these two and never at an executor's code. A component that carries this
    hash as a property runs again when something that it is made by was changed.

    These are the modules, every module of the project that they import, however far away, the files
    beside those (templates and the like), and the versions of the libraries.

    Args:
      *names: Dotted names of the step's modules or packages; none of them is imported.

    Returns:
      16 hex digits, the same on every machine with the same sources and libraries.

    Raises:
      ModuleNotFoundError: A name is no module of the project.
    """
    digest = hashlib.sha256(json.dumps(stack_versions(), sort_keys=True).encode())
    for name, path in needed_files(names, project_dir()).items():
        digest.update(f"\n{name}\0".encode())
        digest.update(_digest(path, file_stamp(path)))
    return digest.hexdigest()[:16]


@functools.lru_cache(maxsize=1024)
def _digest(path: pathlib.Path, stamp: tuple[int, ...]) -> bytes:
    """Returns the hash of a file, which the fingerprints of many steps want."""
    return hashlib.sha256(path.read_bytes()).digest()
