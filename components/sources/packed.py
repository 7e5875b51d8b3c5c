"""Files that hold a data set: archives, tables of pixels, and one in the other."""

import os
import pathlib
import shutil
from collections.abc import Iterator

from emotion_faces.links import is_file
from emotion_faces.throttle import Throttle
from emotion_pipeline.components.counted import first_few
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.progress import report
from emotion_pipeline.components.sources.archive import SUFFIXES, is_archive, unpack
from emotion_pipeline.components.sources.layout import holds_classes
from emotion_pipeline.components.sources.listing import is_hidden
from emotion_pipeline.components.sources.pixel_table import (
    has_usage,
    is_pixel_table,
    unpack_table,
)

_MAX_INSIDE = 2
"""How many archives may lie one in the other."""

_MAX_DEPTH = 3
_TABLE_SUFFIX = ".csv"


def is_packed(path: pathlib.Path) -> bool:
    """Returns whether the file is, or is named as, an archive or a CSV file."""
    named = path.name.lower().endswith((*SUFFIXES, _TABLE_SUFFIX))
    return named or is_archive(path)


def unpack_file(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Unpacks an archive or a table of pixels into the empty `folder`; progress is reported.

    Raises:
      UserError: It is damaged, not to be trusted, or no table of pixels.
    """
    throttle = Throttle()
    if path.name.lower().endswith(_TABLE_SUFFIX):

        def tell_rows(done: int) -> None:
            if throttle.ready():
                report(f"{path.name}: {done} pictures written")

        unpack_table(path, folder, tell_rows)
        return

    def tell(done: int, total: int) -> None:
        if throttle.ready():
            report(f"{path.name}: {done} of {total} files unpacked")

    unpack(path, folder, tell)


def table_in(folder: pathlib.Path) -> pathlib.Path | None:
    """Returns the table of pixels in a folder that holds no class folders; None where there is none.

    Of several, the one that says which split a picture is of.

    Raises:
      UserError: There are several, and none or more than one says so.
    """
    tables = [path for path in _files(folder, _MAX_DEPTH) if _is_table(path)]
    if not tables or holds_classes(folder):
        return None
    split = [path for path in tables if has_usage(path)] or tables
    if len(split) > 1:
        named = ", ".join(str(path.relative_to(folder)) for path in split)
        raise UserError(
            f"{folder}: holds {len(split)} tables of pixels: {named}. Give one of them."
        )
    return split[0]


def open_inner(data: pathlib.Path, source: str) -> None:
    """Replaces a folder without class folders by what is in the one archive or table that it holds.

    Args:
      data: A folder of the pipeline's own.
      source: What the user gave.

    Raises:
      UserError: What is inside is damaged or not to be trusted, or archives lie too deep.
    """
    for _ in range(_MAX_INSIDE):
        if holds_classes(data):
            return
        table = table_in(data)
        archives = [path for path in _files(data, _MAX_DEPTH) if is_archive(path)]
        if table is None and len(archives) > 1:
            named = ", ".join(str(path.relative_to(data)) for path in archives[:5])
            raise UserError(
                f"{source}: holds {len(archives)} archives and no class folders: {named}. Unpack "
                "it, and give one of them."
            )
        inner = table or (archives[0] if archives else None)
        if inner is None:
            return
        beside = [str(path.relative_to(data)) for path in _files(data, _MAX_DEPTH) if path != inner]
        if beside:
            report(
                f"{source}: {inner.relative_to(data)} in it is read alone, and not what lies beside: "
                f"{first_few(beside, noun='file')}"
            )
        aside = data.with_name(f"{data.name}.inner")
        aside.mkdir()
        try:
            unpack_file(inner, aside)
        except UserError as error:
            # The copy is nothing that the user knows of.
            raise UserError(str(error).replace(str(data), source)) from error
        shutil.rmtree(data)
        aside.rename(data)


def _is_table(path: pathlib.Path) -> bool:
    return path.suffix.lower() == _TABLE_SUFFIX and is_pixel_table(path)


def _files(folder: pathlib.Path, depth: int) -> Iterator[pathlib.Path]:
    """Yields the regular files of `folder` and of the folders in it, sorted, without hidden ones."""
    try:
        with os.scandir(folder) as entries:
            listing = sorted(entries, key=lambda entry: entry.name)
    except PermissionError:
        return
    for entry in listing:
        if is_hidden(entry.name):
            continue
        if is_file(entry):
            yield pathlib.Path(entry.path)
        elif depth and entry.is_dir(follow_symlinks=False):
            yield from _files(pathlib.Path(entry.path), depth - 1)
