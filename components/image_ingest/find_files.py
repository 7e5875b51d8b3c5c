"""Lists every file under a folder, following links out of it but not round in circles."""

import errno
import os
import pathlib
import stat
from collections.abc import Iterator
from typing import NamedTuple

from emotion_faces.links import Leads, follow
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason
from emotion_pipeline.components.sources.listing import is_hidden

_PROBLEMS = {
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
    root = root.resolve()
    return sorted(_walk(root, root, "", hidden=False, above=()))


def _walk(
    root: pathlib.Path,
    folder: pathlib.Path,
    prefix: str,
    hidden: bool,
    above: tuple[pathlib.Path, ...],
) -> Iterator[FoundFile]:
    with os.scandir(folder) as entries:
        listing = list(entries)
    for entry in listing:
        path = prefix + entry.name
        hides = hidden or is_hidden(entry.name)
        leads, inner = None, above
        if entry.is_symlink():
            leads, target = follow(root, folder / entry.name, above)
            inner = (*above, target)
        enters = leads is Leads.FOLDER and not hides
        if enters or entry.is_dir(follow_symlinks=False):
            try:
                yield from _walk(root, folder / entry.name, path + "/", hides, inner)
            except PermissionError:
                yield FoundFile(_printable(path), 0, PruneReason.UNREADABLE_FOLDER)
            continue
        size, problem = (0, _PROBLEMS[leads]) if leads in _PROBLEMS else _inspect(entry)
        if problem is None and _printable(path) != path:
            problem = PruneReason.NAME_NOT_UTF8
        if hides:
            problem = PruneReason.HIDDEN
        yield FoundFile(_printable(path), size, problem)


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
