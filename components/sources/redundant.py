"""The tree nested in itself that the Kaggle archive carries by mistake."""

import filecmp
import hashlib
import json
import pathlib
from typing import NamedTuple

from emotion_pipeline.components.sources.layout import Layout


class RemovedFile(NamedTuple):
    """A file deleted from the pipeline's own copy; columns as in the manifest."""

    path: str
    bytes: int
    content_hash: str


def remove_redundant_tree(root: pathlib.Path, layout: Layout) -> list[RemovedFile]:
    """Deletes the nested files of `root` that repeat an outer one byte for byte, and returns them.

    `root` must be the pipeline's own copy. A nested file that differs from its twin, or has none,
    stays.
    """
    nested = root / layout.base / "images"
    removed = []
    files = [path for path in nested.rglob("*") if path.is_file() and not path.is_symlink()]
    for file in sorted(files):
        path = file.relative_to(root).as_posix()
        twin = layout.outer_twin(path)
        if twin is None or not (root / twin).is_file():
            continue
        if filecmp.cmp(file, root / twin, shallow=False):
            data = file.read_bytes()
            removed.append(RemovedFile(path, len(data), hashlib.sha256(data).hexdigest()))
            file.unlink()
    filecmp.clear_cache()
    for folder in sorted((path for path in nested.rglob("*") if path.is_dir()), reverse=True):
        _remove_if_empty(folder)
    if nested.is_dir():
        _remove_if_empty(nested)
    return removed


def write_removed(removed: list[RemovedFile], file: pathlib.Path) -> None:
    """Writes the list as JSON."""
    file.write_text(json.dumps(removed) + "\n", encoding="utf-8")


def read_removed(file: pathlib.Path) -> list[RemovedFile]:
    """Reads what `write_removed` wrote."""
    return [RemovedFile(*row) for row in json.loads(file.read_text(encoding="utf-8"))]


def _remove_if_empty(folder: pathlib.Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
