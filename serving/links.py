"""Where a symbolic link in a folder of pictures leads, and whether those behind it are new ones."""

import enum
import os
import pathlib


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


def is_file(entry: os.DirEntry) -> bool:
    """Whether an entry is a regular file or a link to one.

    Other than `entry.is_file()` it also answers for a link that leads in a circle.
    """
    return entry.is_file(follow_symlinks=False) or (
        entry.is_symlink() and os.path.isfile(entry.path)
    )
