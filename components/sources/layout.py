"""Finds the splits and the class folders in a data set's folder."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Iterator

from emotion_pipeline.components.constants import EVAL_SPLIT, TEST_SPLIT, TRAIN_SPLIT
from emotion_pipeline.components.errors import UserError

TRAIN_FOLDER = "train"
EVAL_FOLDERS: tuple[str, ...] = ("validation", "eval", "val", "test")
"""Names of the second split's folder; the first that is there is used."""

TEST_FOLDER = "test"
"""Beside one of the others it is the third split, which judges the model and chooses nothing."""

SYSTEM_NAMES = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
"""Names that operating systems leave behind beside those that begin with a dot."""

OUTER_FOLDER = "images"
"""The folder around the splits, which may be left out."""

_MAX_DEPTH = 4

EXPECTED = (
    "Expected images/train/<class>/ and images/validation/<class>/ (the outer images/ may be left "
    "out; the second split may be named validation, eval, val or test, and a test beside another of "
    "these judges alone), or one folder of class folders. Folders that are symbolic links are not looked into."
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the splits are, in posix paths relative to the data set's root.

    base: the folder that holds the splits, or, where `splits` is empty, the class folders; '' for
    the root. splits: folder name in `base` -> 'train', 'eval' or 'test'; empty where one folder of
    classes is to be split. unused: names of folders in `base` that hold a further split.
    """

    base: str
    splits: dict[str, str]
    unused: tuple[str, ...] = ()

    def locate(self, path: str) -> tuple[str, str] | None:
        """Return the split ('' if still to be drawn) and the label of a file, or None.

        A file deeper in a class folder belongs to that class.
        """
        parts = self._parts_below_base(path)
        if not self.splits:
            return ("", parts[0]) if len(parts) >= 2 and parts[0] != OUTER_FOLDER else None
        if len(parts) >= 3 and parts[0] in self.splits:
            return self.splits[parts[0]], parts[1]
        return None

    def is_unused(self, path: str) -> bool:
        """Return whether the file lies in a further split."""
        return self._parts_below_base(path)[:1] in [[name] for name in self.unused]

    def outer_twin(self, path: str) -> str | None:
        """Return the path that a file of a nested `images` tree repeats, or None.

        The Kaggle archive holds images/train and images/validation, and both again under
        images/images.
        """
        nested = f"{self.base}/{OUTER_FOLDER}/" if self.base else f"{OUTER_FOLDER}/"
        if not path.startswith(nested):
            return None
        rest = path[len(nested) :]
        return f"{self.base}/{rest}" if self.base else rest

    def _parts_below_base(self, path: str) -> list[str]:
        if self.base:
            if not path.startswith(f"{self.base}/"):
                return []
            path = path[len(self.base) + 1 :]
        return path.split("/")


def find_layout(root: pathlib.Path, source: str = "") -> Layout:
    """Return the layout of the data set in `root`.

    Looks in `root`, then in folders named `images` and in folders that are the only one beside
    files. Folders reached through symbolic links are not looked into. Messages name `source`, or
    else `root`.

    Raises:
        UserError: `root` is no folder, cannot be listed, is empty, or holds no class folders; one
            split is missing.
    """
    source = source or str(root)
    if not root.is_dir():
        raise UserError(f"{source}: no such folder. Give a folder of pictures. {EXPECTED}")
    if not _names(root, files=True) and not _names(root):
        raise UserError(f"{source}: empty, no folder and no file in it. {EXPECTED}")
    candidates = list(_candidates(root))
    for base in candidates:
        layout = _split_layout(root, base, source)
        if layout is not None:
            return layout
    for base in candidates:
        folder = root / base
        classes = (name for name in _names(folder) if name != OUTER_FOLDER)
        if any(_names(folder / name, files=True) for name in classes):
            return Layout(base=base, splits={})
    raise UserError(f"{source}: no class folders found; it holds {_describe(root)}. {EXPECTED}")


def _candidates(root: pathlib.Path) -> Iterator[str]:
    """Yield posix paths of the folders that may hold the splits, the outermost first."""
    queue = collections.deque([("", 0)])
    while queue:
        base, depth = queue.popleft()
        yield base
        names = _names(root / base)
        if depth < _MAX_DEPTH:
            for name in names:
                if name.lower() == OUTER_FOLDER or len(names) == 1:
                    queue.append((f"{base}/{name}" if base else name, depth + 1))


def _split_layout(root: pathlib.Path, base: str, source: str) -> Layout | None:
    names = {name.lower(): name for name in _names(root / base)}
    train = names.get(TRAIN_FOLDER)
    seconds = [names[name] for name in EVAL_FOLDERS if name in names]
    if train is None and not seconds:
        return None
    where = f"{source}/{base}" if base else source
    if train is None:
        raise UserError(f"{where}: found {seconds[0]}/, but no train/ beside it. {EXPECTED}")
    if not _names(root / base / train):
        raise UserError(f"{where}/{train}: no class folders in it. {EXPECTED}")
    if not seconds:
        raise UserError(
            f"{where}: found {train}/, but no second split beside it. Add validation/, or give "
            f"{where}/{train} itself as the source and it is split by a hash of the content."
        )
    splits = {train: TRAIN_SPLIT, seconds[0]: EVAL_SPLIT}
    for name in seconds[1:]:
        # An empty folder is no split.
        if name.lower() == TEST_FOLDER and _names(root / base / name):
            splits[name] = TEST_SPLIT
    unused = tuple(name for name in seconds if name not in splits)
    return Layout(base=base, splits=splits, unused=unused)


def _names(folder: pathlib.Path, *, files: bool = False) -> list[str]:
    """Return the sorted names of the folders (or files) in `folder`, without the hidden ones."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if not is_hidden(entry.name)
                and (entry.is_file() if files else entry.is_dir(follow_symlinks=False))
            )
    except PermissionError as error:
        raise UserError(f"{folder}: permission denied. Make the folder readable.") from error


def is_hidden(name: str) -> bool:
    """Return whether a file's or folder's name marks it as hidden or left behind by a system."""
    return name.startswith(".") or name in SYSTEM_NAMES


def _describe(root: pathlib.Path) -> str:
    folders, files = _names(root), _names(root, files=True)
    shown = ", ".join(f"{name}/" for name in folders[:5]) or "no folders"
    return f"{shown}{', ...' if len(folders) > 5 else ''} and {len(files)} loose files"
