"""Lists every file under a folder without following links out of it or round in circles."""

import errno
import os
import pathlib
import stat
from collections.abc import Iterator
from typing import NamedTuple

from emotion_pipeline.components.image_ingest.prune_reason import PruneReason
from emotion_pipeline.components.sources.layout import is_hidden


class FoundFile(NamedTuple):
    """A file as the folder listing shows it.

    path: posix, relative to the root. bytes: its size. problem: why it cannot be used, if the
    listing tells.
    """

    path: str
    bytes: int
    problem: PruneReason | None


def find_files(root: pathlib.Path) -> list[FoundFile]:
    """Return every file under `root`, sorted by path.

    A folder counts, as one file, only where it is not entered: a link to a folder, or one that may
    not be listed. Links to files are followed as long as they stay inside `root`.
    """
    root = root.resolve()
    return sorted(_walk(root, root, "", hidden=False))


def _walk(
    root: pathlib.Path, folder: pathlib.Path, prefix: str, hidden: bool
) -> Iterator[FoundFile]:
    with os.scandir(folder) as entries:
        listing = list(entries)
    for entry in listing:
        path = prefix + entry.name
        hides = hidden or is_hidden(entry.name)
        if entry.is_dir(follow_symlinks=False):
            try:
                yield from _walk(root, folder / entry.name, path + "/", hides)
            except PermissionError:
                yield FoundFile(_printable(path), 0, PruneReason.UNREADABLE)
            continue
        size, problem = _inspect(root, entry)
        if problem is None and _printable(path) != path:
            problem = PruneReason.NAME_NOT_UTF8
        if hides:
            problem = PruneReason.HIDDEN
        yield FoundFile(_printable(path), size, problem)


def _inspect(root: pathlib.Path, entry: os.DirEntry) -> tuple[int, PruneReason | None]:
    try:
        if entry.is_symlink():
            problem = _link_problem(root, pathlib.Path(entry.path))
            if problem is not None:
                return 0, problem
        status = entry.stat()
    except OSError as error:
        looping = error.errno == errno.ELOOP
        return 0, PruneReason.SYMLINK_LOOP if looping else PruneReason.UNREADABLE
    if not stat.S_ISREG(status.st_mode):
        return 0, PruneReason.SPECIAL_FILE
    return status.st_size, None


def _link_problem(root: pathlib.Path, link: pathlib.Path) -> PruneReason | None:
    try:
        target = link.resolve(strict=True)
    except FileNotFoundError:
        return PruneReason.SYMLINK_BROKEN
    except (RuntimeError, OSError):
        # Python 3.10 to 3.12 raise RuntimeError for a loop, later ones OSError.
        return PruneReason.SYMLINK_LOOP
    if link.parent.is_relative_to(target):
        return PruneReason.SYMLINK_LOOP
    if not target.is_relative_to(root):
        return PruneReason.SYMLINK_OUTSIDE
    return PruneReason.SYMLINK_FOLDER if target.is_dir() else None


def _printable(path: str) -> str:
    r"""Return the path with other bytes than UTF-8 as \xNN, since Parquet holds UTF-8 only."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
