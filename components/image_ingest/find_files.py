"""Lists every file under a folder, following links out of it but not round in circles."""

import errno
import os
import pathlib
import stat
from typing import NamedTuple

from emotion_faces.links import Found, Leads, walk
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason
from emotion_pipeline.components.sources.listing import is_hidden

_PROBLEMS: dict[Leads | None, PruneReason] = {
    Leads.FOLDER_INSIDE: PruneReason.SYMLINK_FOLDER,
    Leads.LOOP: PruneReason.SYMLINK_LOOP,
    Leads.NOWHERE: PruneReason.SYMLINK_BROKEN,
}


class FoundFile(NamedTuple):
    """A file as the folder listing shows it.

    path: posix, relative to the root. bytes: its size. problem: why it cannot be used, if the
    listing tells.
    """

    path: str
    bytes: int
    problem: PruneReason | None


def find_files(root: pathlib.Path) -> list[FoundFile]:
    """Returns every file under `root`, sorted by path.

    A folder counts, as one file, only where it is not entered: one that may not be listed, or a link
    to a folder that is in the data set anyway or that the link itself lies in.
    """
    # Links in hidden folders are not followed.
    return sorted(
        _as_listed(found) for found in walk(root.resolve(), lambda path: not _hides(path))
    )


def _as_listed(found: Found) -> FoundFile:
    path = _printable(found.path)
    if found.entry is None:
        return FoundFile(path, 0, PruneReason.UNREADABLE_FOLDER)
    size, problem = 0, _PROBLEMS.get(found.leads)
    if problem is None:
        size, problem = _inspect(found.entry)
    if problem is None and path != found.path:
        problem = PruneReason.NAME_NOT_UTF8
    if _hides(found.path):
        problem = PruneReason.HIDDEN
    return FoundFile(path, size, problem)


def _hides(path: str) -> bool:
    return any(is_hidden(name) for name in path.split("/"))


def _inspect(entry: os.DirEntry) -> tuple[int, PruneReason | None]:
    try:
        status = entry.stat()
    except OSError as error:
        looping = error.errno == errno.ELOOP
        return 0, PruneReason.SYMLINK_LOOP if looping else PruneReason.UNREADABLE
    if not stat.S_ISREG(status.st_mode):
        return 0, PruneReason.SPECIAL_FILE
    return status.st_size, None


def _printable(path: str) -> str:
    r"""Returns the path with other bytes than UTF-8 as \xNN, since Parquet holds UTF-8 only."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
