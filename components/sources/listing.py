"""What a data set's folders hold, without what is hidden and with the links that lead to new pictures."""

import os
import pathlib

from emotion_faces.links import Leads, follow, is_file
from emotion_pipeline.components.errors import UserError

_SYSTEM_NAMES = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
"""Names that operating systems leave behind beside those that begin with a dot."""

MAX_DEPTH = 4
"""How many folders deep pictures, splits and classes are looked for."""

_LABEL_LIST_SUFFIXES = frozenset({".txt", ".csv", ".tsv", ".json", ".xml", ".xlsx", ".mat", ".lst"})


def join(base: str, name: str) -> str:
    """Returns the path of a name in `base`, '' for the root."""
    return f"{base}/{name}" if base else name


def names_in(root: pathlib.Path, base: str = "", *, files: bool = False) -> list[str]:
    """Returns the sorted names of the folders (or files) in `base`, without the hidden ones.

    A link to a folder is one where it leads to pictures that are not in the data set anyway.
    """
    folder = root / base
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if not is_hidden(entry.name)
                and (is_file(entry) if files else _is_folder(root, entry))
            )
    except PermissionError as error:
        raise UserError(f"{folder}: permission denied. Make the folder readable.") from error


def _is_folder(root: pathlib.Path, entry: os.DirEntry) -> bool:
    if entry.is_symlink():
        return follow(root, pathlib.Path(entry.path))[0] is Leads.FOLDER
    return entry.is_dir(follow_symlinks=False)


def links_not_followed(root: pathlib.Path, base: str) -> dict[str, str]:
    """Returns the links in `base` that lead to no new folder, and where they lead."""
    with os.scandir(root / base) as entries:
        links = {
            entry.name: follow(root, pathlib.Path(entry.path))[0]
            for entry in entries
            if entry.is_symlink()
        }
    followed = (Leads.FILE, Leads.FOLDER)
    return {name: leads.value for name, leads in links.items() if leads not in followed}


def has_files(root: pathlib.Path, base: str) -> bool:
    """Returns whether a file lies in `base` itself."""
    return bool(names_in(root, base, files=True))


def has_files_below(root: pathlib.Path, base: str, depth: int = MAX_DEPTH) -> bool:
    """Returns whether a file lies in `base` or at most `depth` folders further down."""
    if has_files(root, base):
        return True
    names = names_in(root, base) if depth else []
    return any(has_files_below(root, join(base, name), depth - 1) for name in names)


def label_lists(root: pathlib.Path, base: str) -> list[str]:
    """Returns the names of files in `base` that may say which picture is of which class."""
    names = names_in(root, base, files=True)
    return [name for name in names if is_label_list(name)]


def is_label_list(path: str) -> bool:
    """Returns whether a file, by its name, may say which picture is of which class."""
    file = pathlib.PurePosixPath(path)
    named = not file.name.lower().startswith(("readme", "license"))
    return named and file.suffix.lower() in _LABEL_LIST_SUFFIXES


def is_hidden(name: str) -> bool:
    """Returns whether a file's or folder's name marks it as hidden or left behind by a system."""
    return name.startswith(".") or name in _SYSTEM_NAMES


def describe(root: pathlib.Path) -> str:
    """Returns in words what lies in `root`: `happy/, sad/ and 1 loose files (list.csv)`."""
    folders, files = names_in(root), names_in(root, files=True)
    shown = ", ".join(f"{name}/" for name in folders[:5]) or "no folders"
    named = f" ({', '.join(files[:3])}{', ...' if len(files) > 3 else ''})" if files else ""
    return f"{shown}{', ...' if len(folders) > 5 else ''} and {len(files)} loose files{named}"
