"""Finds the splits and the class folders in a data set's folder."""

import collections
import dataclasses
import pathlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from emotion_pipeline.components.constants import EVAL_SPLIT, LABELS, TEST_SPLIT, TRAIN_SPLIT
from emotion_pipeline.components.counted import first_few
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources import archive
from emotion_pipeline.components.sources.listing import (
    MAX_DEPTH,
    describe,
    has_files,
    has_files_below,
    join,
    label_lists,
    links_not_followed,
    names_in,
)

TRAIN_FOLDERS: tuple[str, ...] = ("train", "training")
EVAL_FOLDERS: tuple[str, ...] = (
    *("validation", "valid", "eval", "val", "evaluation", "dev", "publictest"),
    *("test", "testing", "privatetest"),
)
"""Names of the second split's folder; the first that is there is used."""

TEST_FOLDERS: tuple[str, ...] = ("test", "testing", "privatetest")
"""Beside one of the others it is the third split, which judges the model and chooses nothing."""

_SPLIT_SUFFIX = re.compile(r"[-_. ]?(set|data|images|split)$")
"""What may follow a split's name: `Training_set`, `val-images`."""

OUTER_FOLDER = "images"
"""The folder around the splits, which may be left out."""

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
        """Returns the split ('' if still to be drawn) and the label of a file, or None.

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
        """Returns whether the file lies in a further split."""
        return self._parts_below_base(path)[:1] in [[name] for name in self.unused]

    def outer_twin(self, path: str) -> str | None:
        """Returns the path that a file of a nested `images` tree repeats, or None.

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
    """Returns the layout of the data set in `root`.

    Looks in `root`, then in folders named `images` and in folders that are the only one beside
    files, and last for one folder further down that holds both splits. Messages name `source`, or
    else `root`.

    Args:
      root: The data set's folder.
      source: What the user gave.
      class_names: Name of a class folder -> the class that its pictures belong to.

    Raises:
      UserError: `root` is no folder, cannot be listed, is empty, or holds no class folders; one
        split is missing; a name of `class_names` is no class folder's.
    """
    source = source or str(root)
    if not root.is_dir():
        raise UserError(f"{source}: no such folder. Give a folder of pictures. {EXPECTED}")
    root = root.resolve()
    if not names_in(root, files=True) and not names_in(root):
        raise UserError(f"{source}: empty, no folder and no file in it. {EXPECTED}")
    layout = _find(root, source)
    for folder in _class_parents(layout):
        _check_classes(root, folder, source)
    renamed = {composed(name): label for name, label in (class_names or {}).items()}
    present = {
        composed(name) for folder in _class_parents(layout) for name in names_in(root, folder)
    }
    for name in renamed.keys() - present:
        raise UserError(
            f"class_names: there is no class folder {name!r} in {source}; found are "
            f"{', '.join(sorted(present))}"
        )
    return dataclasses.replace(layout, class_names=renamed)


def holds_classes(root: pathlib.Path) -> bool:
    """Returns whether there are splits in a folder, or two class folders."""
    try:
        layout = find_layout(root)
    except UserError:
        return False
    names = [join(layout.base, name) for name in names_in(root, layout.base)]
    return bool(layout.splits) or sum(has_files_below(root, name) for name in names) >= 2


def composed(name: str) -> str:
    """Returns a name in Unicode's composed form (NFC); macOS stores the other, which looks alike."""
    return unicodedata.normalize("NFC", name)


def split_kind(name: str, kinds: Iterable[str]) -> str | None:
    """Returns which of the split names a folder's name stands for, in any case; None if none."""
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
    for is_class, fewest in ((has_files, 2), (has_files_below, 2), (has_files, 1)):
        for base in candidates:
            names = [name for name in names_in(root, base) if name != OUTER_FOLDER]
            found = [name for name in names if is_class(root, join(base, name))]
            lists = label_lists(root, base)
            if len(found) == 1 == fewest and lists:
                raise UserError(
                    f"{source}: all pictures are in one folder, {join(base, found[0])}/, with "
                    f"{', '.join(lists)} beside it. {NO_LISTS}"
                )
            if len(found) >= fewest:
                return Layout(base=base, splits={})
    hint = f"{NO_LISTS} " if label_lists(root, "") else ""
    archives = [
        name for name in names_in(root, files=True) if name.lower().endswith(archive.SUFFIXES)
    ]
    if archives:
        hint = f"Give {source}/{archives[0]} itself as the source. "
    raise UserError(
        f"{source}: no class folders found; it holds {describe(root)}. {hint}{EXPECTED}"
    )


NO_LISTS = (
    "A list that says which picture is of which class is not read: put each picture into a folder "
    "that has the name of its class."
)


def _class_parents(layout: Layout) -> list[str]:
    """Returns the folders whose folders are the classes."""
    return [join(layout.base, name) for name in layout.splits] or [layout.base]


def _candidates(root: pathlib.Path) -> Iterator[str]:
    """Yields posix paths of the folders that may hold the splits, the outermost first."""
    queue = collections.deque([("", 0)])
    while queue:
        base, depth = queue.popleft()
        yield base
        names = names_in(root, base)
        if depth < MAX_DEPTH:
            for name in names:
                if name.lower() == OUTER_FOLDER or len(names) == 1:
                    queue.append((join(base, name), depth + 1))


def _deeper_splits(root: pathlib.Path, candidates: list[str]) -> list[Layout]:
    """Returns the layouts of folders further down that hold both splits."""
    queue = collections.deque((base, 0) for base in candidates[:1])
    found = []
    while queue:
        base, depth = queue.popleft()
        kinds = _split_folders(root, base)
        if base not in candidates and kinds[TRAIN_SPLIT] and kinds[EVAL_SPLIT]:
            found.append(_layout_of(root, base, kinds))
        elif depth < MAX_DEPTH - 1:
            queue.extend((join(base, name), depth + 1) for name in names_in(root, base))
    return found


def _split_folders(root: pathlib.Path, base: str) -> dict[str, list[str]]:
    """Returns the folders of train and of the second split in `base`, the one to be used first.

    One without class folders comes after those that have some.
    """
    names = names_in(root, base)
    found = {}
    for split, kinds in ((TRAIN_SPLIT, TRAIN_FOLDERS), (EVAL_SPLIT, EVAL_FOLDERS)):
        known = [(kind, name) for name in names if (kind := split_kind(name, kinds)) is not None]

        def order(one: tuple[str, str], kinds=kinds) -> tuple[bool, int, int, str]:
            kind, name = one
            # `train` before `train_set`: the shortest spelling of the first kind.
            return not names_in(root, join(base, name)), kinds.index(kind), len(name), name

        found[split] = [name for _, name in sorted(known, key=order)]
    return found


def _layout_of(root: pathlib.Path, base: str, kinds: dict[str, list[str]]) -> Layout:
    train, second = kinds[TRAIN_SPLIT], kinds[EVAL_SPLIT]
    splits = {train[0]: TRAIN_SPLIT, second[0]: EVAL_SPLIT}
    tests = [
        name
        for name in second[1:]
        if split_kind(name, TEST_FOLDERS) and names_in(root, join(base, name))
    ]
    splits |= dict.fromkeys(tests[:1], TEST_SPLIT)
    # An empty folder is no split.
    unused = tuple(
        name
        for name in (*train, *second)
        if name not in splits
        and (names_in(root, join(base, name)) or has_files(root, join(base, name)))
    )
    return Layout(base=base, splits=splits, unused=unused)


def _split_layout(root: pathlib.Path, base: str, source: str) -> Layout | None:
    kinds = _split_folders(root, base)
    trains, seconds = kinds[TRAIN_SPLIT], kinds[EVAL_SPLIT]
    if not trains and not seconds:
        return None
    where = f"{source}/{base}" if base else source
    if not trains:
        raise UserError(f"{where}: found {seconds[0]}/, but no train/ beside it. {EXPECTED}")
    train = trains[0]
    if not names_in(root, join(base, train)):
        lists = label_lists(root, base) + label_lists(root, join(base, train))
        raise UserError(
            f"{where}/{train}: no class folders in it. "
            + (f"Found {', '.join(lists[:3])}. {NO_LISTS} " if lists else "")
            + EXPECTED
        )
    if not seconds:
        linked = [name for name in links_not_followed(root, base) if split_kind(name, EVAL_FOLDERS)]
        if linked:
            raise UserError(
                f"{where}: {linked[0]} is a link {links_not_followed(root, base)[linked[0]]}, so there "
                f"is no second split beside {train}/. Make it a folder of other pictures."
            )
        others = [f"{name}/" for name in names_in(root, base) if name not in trains]
        beside = f"; {first_few(others)} beside it is not known as one" if others else ""
        raise UserError(
            f"{where}: found {train}/, but no second split beside it{beside}. Add validation/, or give "
            f"{where}/{train} itself as the source and it is split by a hash of the content."
        )
    return _layout_of(root, base, kinds)


def _check_classes(root: pathlib.Path, parent: str, source: str) -> None:
    """Raises UserError where the folders of `parent` are of another kind than classes."""
    where = f"{source}/{parent}" if parent else source
    names = names_in(root, parent)
    if {"images", "labels"} <= {name.lower() for name in names} <= _DETECTION_FOLDERS:
        raise UserError(
            f"{where}: holds {' and '.join(f'{name}/' for name in names)}, as data sets for finding "
            f"objects do, and no class folders. {NO_LISTS}"
        )
    if {name.lower() for name in names} & set(LABELS):
        return
    for name in names:
        inner = names_in(root, join(parent, name))
        known = [one for one in inner if one.lower() in LABELS]
        if len(known) >= 2:
            raise UserError(
                f"{where}: the class folders ({', '.join(known)}) lie inside {name}/ and the like, "
                f"which would be taken for the classes. Turn it round: {known[0]}/{name}/. Or, where "
                "these are splits, call them train and validation."
            )
