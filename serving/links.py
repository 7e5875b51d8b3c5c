"""What is in a folder of pictures, searched deep, and where its symbolic links lead."""

import enum
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Leads(enum.Enum):
    """Where a link leads; only the first two are followed."""

    FILE = "to a file"
    FOLDER = "to a folder outside the data set"
    FOLDER_INSIDE = "to a folder that is in the data set anyway"
    LOOP = "back to itself or to a folder above it"
    NOWHERE = "to nothing"


def follow(
    root: pathlib.Path, link: pathlib.Path, above: tuple[pathlib.Path, ...] = ()
) -> tuple[Leads, pathlib.Path]:
    """Returns where a link leads, and the absolute path behind it (the link's own where there is none).

    Args:
      root: The folder that is searched, resolved.
      link: The link.
      above: The resolved folders outside `root` on the way to the link, each entered by a link.
    """
    try:
        target = link.resolve(strict=True)
        parent = link.parent.resolve()
    except FileNotFoundError:
        return Leads.NOWHERE, link
    except PermissionError:
        return Leads.FILE, link  # whoever opens it is told
    except (RuntimeError, OSError):
        # Python 3.10 to 3.12 raise RuntimeError for a loop, later ones OSError.
        return Leads.LOOP, link
    if not target.is_dir():
        return Leads.FILE, target
    if any(folder.is_relative_to(target) for folder in (parent, link.parent, *above)):
        return Leads.LOOP, target
    if target.is_relative_to(root):
        return Leads.FOLDER_INSIDE, target
    return Leads.FOLDER, target


class Found(NamedTuple):
    """What a search comes upon and does not go into.

    Attributes:
      path: Below the folder that is searched, with `/` between names; empty for that folder itself.
      entry: As the system lists it; None for a folder that cannot be listed.
      leads: Where it leads; None where it is no link.
    """

    path: str
    entry: os.DirEntry[str] | None
    leads: Leads | None


def walk(root: pathlib.Path, enters: Callable[[str], bool] = lambda path: True) -> Iterator[Found]:
    """Yields what is in a folder and is no folder itself, by name; links to folders elsewhere are followed.

    What cannot be gone into is yielded too: a folder that cannot be listed, and a link round in a circle or
    to a folder that is inside anyway.

    Args:
      root: The folder.
      enters: Whether a link to a folder is followed, by its path below `root`.
    """
    return _walk(root.resolve(), os.fspath(root), "", (), enters)


def _walk(
    root: pathlib.Path,
    folder: str,
    prefix: str,
    above: tuple[pathlib.Path, ...],
    enters: Callable[[str], bool],
) -> Iterator[Found]:
    try:
        with os.scandir(folder) as entries:
            listing = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        yield Found(prefix.removesuffix("/"), None, None)
        return
    for entry in listing:
        path = prefix + entry.name
        leads, inner = None, above
        if entry.is_symlink():
            leads, target = follow(root, pathlib.Path(entry.path), above)
            inner = (*above, target)
        if entry.is_dir(follow_symlinks=False) or (leads is Leads.FOLDER and enters(path)):
            yield from _walk(root, entry.path, f"{path}/", inner, enters)
        else:
            yield Found(path, entry, leads)


def is_file(entry: os.DirEntry) -> bool:
    """Whether an entry is a regular file or a link to one.

    Other than `entry.is_file()` it also answers for a link that leads in a circle.
    """
    return entry.is_file(follow_symlinks=False) or (
        entry.is_symlink() and os.path.isfile(entry.path)
    )
