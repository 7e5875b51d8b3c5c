"""Finds the splits and the class folders in a data set's folder."""

import collections
import dataclasses
import os
import pathlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from emotion_pipeline.components.constants import EVAL_SPLIT, LABELS, TEST_SPLIT, TRAIN_SPLIT
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources import archive
from emotion_pipeline.components.sources.links import Leads, follow, is_file

TRAIN_FOLDERS: tuple[str, ...] = ("train", "training")
EVAL_FOLDERS: tuple[str, ...] = (
    *("validation", "valid", "eval", "val", "evaluation", "dev"),
    *("test", "testing"),
)
"""Names of the second split's folder; the first that is there is used."""

TEST_FOLDERS: tuple[str, ...] = ("test", "testing")
"""Beside one of the others it is the third split, which judges the model and chooses nothing."""

_SPLIT_SUFFIX = re.compile(r"[-_. ]?(set|data|images|split)$")
"""What may follow a split's name: `Training_set`, `val-images`."""

SYSTEM_NAMES = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
"""Names that operating systems leave behind beside those that begin with a dot."""

OUTER_FOLDER = "images"
"""The folder around the splits, which may be left out."""

_MAX_DEPTH = 4
_LIST_SUFFIXES = frozenset({".txt", ".csv", ".tsv", ".json", ".xml", ".xlsx", ".mat", ".lst"})
_DETECTION_FOLDERS = frozenset({"images", "labels", "annotations"})

EXPECTED = (
    "Expected images/train/<class>/ and images/validation/<class>/ (the outer images/ may be left "
    "out; the second split may be named validation, valid, val, eval or test, and a test beside another "
    "of these judges alone), or one folder of class folders."
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the splits are, in posix paths relative to the data set's root.

    base: the folder that holds the splits, or, where `splits` is empty, the class folders; '' for
    the root. splits: folder name in `base` -> 'train', 'eval' or 'test'; empty where one folder of
    classes is to be split. unused: names of folders in `base` that hold a further split. class_names:
    name of a class folder -> the class that its pictures belong to, where that is another.
    """

    base: str
    splits: dict[str, str]
    unused: tuple[str, ...] = ()
    class_names: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def locate(self, path: str) -> tuple[str, str] | None:
        """Return the split ('' if still to be drawn) and the label of a file, or None.

        A file deeper in a class folder belongs to that class. Of a name that can be spelled in
        several ways in Unicode the label is the composed one (NFC).
        """
        parts = self._parts_below_base(path)
        if not self.splits:
            if len(parts) >= 2 and parts[0] != OUTER_FOLDER:
                return "", self._label(parts[0])
            return None
        if len(parts) >= 3 and parts[0] in self.splits:
            return self.splits[parts[0]], self._label(parts[1])
        return None

    def _label(self, folder: str) -> str:
        name = composed(folder)
        return self.class_names.get(name, name)

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


def find_layout(
    root: pathlib.Path, source: str = "", class_names: Mapping[str, str] | None = None
) -> Layout:
    """Return the layout of the data set in `root`.

    Looks in `root`, then in folders named `images` and in folders that are the only one beside
    files, and last for one folder further down that holds both splits. Messages name `source`, or
    else `root`.

    Args:
        root: the data set's folder.
        source: what the user gave.
        class_names: name of a class folder -> the class that its pictures belong to.

    Raises:
        UserError: `root` is no folder, cannot be listed, is empty, or holds no class folders; one
            split is missing; a name of `class_names` is no class folder's.
    """
    source = source or str(root)
    if not root.is_dir():
        raise UserError(f"{source}: no such folder. Give a folder of pictures. {EXPECTED}")
    root = root.resolve()
    if not _names(root, files=True) and not _names(root):
        raise UserError(f"{source}: empty, no folder and no file in it. {EXPECTED}")
    layout = _find(root, source)
    for folder in _class_parents(layout):
        _check_classes(root, folder, source)
    renamed = {composed(name): label for name, label in (class_names or {}).items()}
    present = {composed(name) for folder in _class_parents(layout) for name in _names(root, folder)}
    for name in renamed.keys() - present:
        raise UserError(
            f"class_names: there is no class folder {name!r} in {source}; found are "
            f"{', '.join(sorted(present))}"
        )
    return dataclasses.replace(layout, class_names=renamed)


def holds_classes(root: pathlib.Path) -> bool:
    """Return whether there are splits in a folder, or two class folders."""
    try:
        layout = find_layout(root)
    except UserError:
        return False
    names = [_join(layout.base, name) for name in _names(root, layout.base)]
    return bool(layout.splits) or sum(_has_files_below(root, name) for name in names) >= 2


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC); macOS stores the other, which looks alike."""
    return unicodedata.normalize("NFC", name)


def split_kind(name: str, kinds: Iterable[str]) -> str | None:
    """Return which of the split names a folder's name stands for, in any case; None if none."""
    lower = name.lower()
    for spelled in (lower, _SPLIT_SUFFIX.sub("", lower)):
        if spelled in kinds:
            return spelled
    return None


def _find(root: pathlib.Path, source: str) -> Layout:
    candidates = list(_candidates(root))
    for base in candidates:
        layout = _split_layout(root, base, source)
        if layout is not None:
            return layout
    below = _deeper_splits(root, candidates)
    if len(below) == 1:
        return below[0]
    if below:
        shown = ", ".join(f"{one.base}/" for one in below[:5])
        raise UserError(
            f"{source}: {len(below)} folders hold splits of their own: {shown}"
            f"{', ...' if len(below) > 5 else ''}. Give one of them as the source; or, where these "
            "are the classes, put the splits outside: train/<class>/ and validation/<class>/."
        )
    for is_class, fewest in ((_has_files, 2), (_has_files_below, 2), (_has_files, 1)):
        for base in candidates:
            names = [name for name in _names(root, base) if name != OUTER_FOLDER]
            found = [name for name in names if is_class(root, _join(base, name))]
            lists = _label_lists(root, base)
            if len(found) == 1 == fewest and lists:
                raise UserError(
                    f"{source}: all pictures are in one folder, {_join(base, found[0])}/, with "
                    f"{', '.join(lists)} beside it. {_NO_LISTS}"
                )
            if len(found) >= fewest:
                return Layout(base=base, splits={})
    hint = f"{_NO_LISTS} " if _label_lists(root, "") else ""
    archives = [
        name for name in _names(root, files=True) if name.lower().endswith(archive.SUFFIXES)
    ]
    if archives:
        hint = f"Give {source}/{archives[0]} itself as the source. "
    raise UserError(
        f"{source}: no class folders found; it holds {_describe(root)}. {hint}{EXPECTED}"
    )


_NO_LISTS = (
    "A list that says which picture is of which class is not read: put each picture into a folder "
    "that has the name of its class."
)


def _join(base: str, name: str) -> str:
    return f"{base}/{name}" if base else name


def _class_parents(layout: Layout) -> list[str]:
    """Return the folders whose folders are the classes."""
    return [_join(layout.base, name) for name in layout.splits] or [layout.base]


def _candidates(root: pathlib.Path) -> Iterator[str]:
    """Yield posix paths of the folders that may hold the splits, the outermost first."""
    queue = collections.deque([("", 0)])
    while queue:
        base, depth = queue.popleft()
        yield base
        names = _names(root, base)
        if depth < _MAX_DEPTH:
            for name in names:
                if name.lower() == OUTER_FOLDER or len(names) == 1:
                    queue.append((_join(base, name), depth + 1))


def _deeper_splits(root: pathlib.Path, candidates: list[str]) -> list[Layout]:
    """Return the layouts of folders further down that hold both splits."""
    queue = collections.deque((base, 0) for base in candidates[:1])
    found = []
    while queue:
        base, depth = queue.popleft()
        kinds = _split_folders(_names(root, base))
        if base not in candidates and kinds[TRAIN_SPLIT] and kinds[EVAL_SPLIT]:
            found.append(_layout_of(root, base, kinds))
        elif depth < _MAX_DEPTH - 1:
            queue.extend((_join(base, name), depth + 1) for name in _names(root, base))
    return found


def _split_folders(names: list[str]) -> dict[str, list[str]]:
    """Return the folders of train and of the second split, the one to be used first."""
    found = {}
    for split, kinds in ((TRAIN_SPLIT, TRAIN_FOLDERS), (EVAL_SPLIT, EVAL_FOLDERS)):
        known = [(kind, name) for name in names if (kind := split_kind(name, kinds)) is not None]
        # `train` before `train_set`: the shortest spelling of the first kind.
        known.sort(key=lambda one: (kinds.index(one[0]), len(one[1]), one[1]))
        found[split] = [name for _, name in known]
    return found


def _layout_of(root: pathlib.Path, base: str, kinds: dict[str, list[str]]) -> Layout:
    train, second = kinds[TRAIN_SPLIT], kinds[EVAL_SPLIT]
    splits = {train[0]: TRAIN_SPLIT, second[0]: EVAL_SPLIT}
    # An empty folder is no split.
    tests = [
        name
        for name in second[1:]
        if split_kind(name, TEST_FOLDERS) and _names(root, _join(base, name))
    ]
    splits |= dict.fromkeys(tests[:1], TEST_SPLIT)
    unused = tuple(name for name in (*train, *second) if name not in splits)
    return Layout(base=base, splits=splits, unused=unused)


def _split_layout(root: pathlib.Path, base: str, source: str) -> Layout | None:
    kinds = _split_folders(_names(root, base))
    trains, seconds = kinds[TRAIN_SPLIT], kinds[EVAL_SPLIT]
    if not trains and not seconds:
        return None
    where = f"{source}/{base}" if base else source
    if not trains:
        raise UserError(f"{where}: found {seconds[0]}/, but no train/ beside it. {EXPECTED}")
    train = trains[0]
    if not _names(root, _join(base, train)):
        lists = _label_lists(root, base) + _label_lists(root, _join(base, train))
        raise UserError(
            f"{where}/{train}: no class folders in it. "
            + (f"Found {', '.join(lists[:3])}. {_NO_LISTS} " if lists else "")
            + EXPECTED
        )
    if not seconds:
        linked = [name for name in _not_followed(root, base) if split_kind(name, EVAL_FOLDERS)]
        if linked:
            raise UserError(
                f"{where}: {linked[0]} is a link {_not_followed(root, base)[linked[0]]}, so there "
                f"is no second split beside {train}/. Make it a folder of other pictures."
            )
        raise UserError(
            f"{where}: found {train}/, but no second split beside it. Add validation/, or give "
            f"{where}/{train} itself as the source and it is split by a hash of the content."
        )
    return _layout_of(root, base, kinds)


def _check_classes(root: pathlib.Path, parent: str, source: str) -> None:
    """Raise UserError where the folders of `parent` are of another kind than classes."""
    where = f"{source}/{parent}" if parent else source
    names = _names(root, parent)
    if {"images", "labels"} <= {name.lower() for name in names} <= _DETECTION_FOLDERS:
        raise UserError(
            f"{where}: holds {' and '.join(f'{name}/' for name in names)}, as data sets for finding "
            f"objects do, and no class folders. {_NO_LISTS}"
        )
    if {name.lower() for name in names} & set(LABELS):
        return
    for name in names:
        inner = _names(root, _join(parent, name))
        known = [one for one in inner if one.lower() in LABELS]
        if len(known) >= 2:
            raise UserError(
                f"{where}: the class folders ({', '.join(known)}) lie inside {name}/ and the like, "
                f"which would be taken for the classes. Turn it round: {known[0]}/{name}/. Or, where "
                "these are splits, call them train and validation."
            )


def _names(root: pathlib.Path, base: str = "", *, files: bool = False) -> list[str]:
    """Return the sorted names of the folders (or files) in `base`, without the hidden ones.

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


def _not_followed(root: pathlib.Path, base: str) -> dict[str, str]:
    """Return the links in `base` that lead to no new folder, and where they lead."""
    with os.scandir(root / base) as entries:
        links = {
            entry.name: follow(root, pathlib.Path(entry.path))[0]
            for entry in entries
            if entry.is_symlink()
        }
    followed = (Leads.FILE, Leads.FOLDER)
    return {name: leads.value for name, leads in links.items() if leads not in followed}


def _has_files(root: pathlib.Path, base: str) -> bool:
    return bool(_names(root, base, files=True))


def _has_files_below(root: pathlib.Path, base: str, depth: int = _MAX_DEPTH) -> bool:
    if _has_files(root, base):
        return True
    names = _names(root, base) if depth else []
    return any(_has_files_below(root, _join(base, name), depth - 1) for name in names)


def _label_lists(root: pathlib.Path, base: str) -> list[str]:
    """Return the names of files in `base` that may say which picture is of which class."""
    names = _names(root, base, files=True)
    return [
        name
        for name in names
        if pathlib.PurePath(name).suffix.lower() in _LIST_SUFFIXES
        and not name.lower().startswith(("readme", "license"))
    ]


def is_hidden(name: str) -> bool:
    """Return whether a file's or folder's name marks it as hidden or left behind by a system."""
    return name.startswith(".") or name in SYSTEM_NAMES


def _describe(root: pathlib.Path) -> str:
    folders, files = _names(root), _names(root, files=True)
    shown = ", ".join(f"{name}/" for name in folders[:5]) or "no folders"
    named = f" ({', '.join(files[:3])}{', ...' if len(files) > 3 else ''})" if files else ""
    return f"{shown}{', ...' if len(folders) > 5 else ''} and {len(files)} loose files{named}"
