"""Turns what the user gave as SOURCE into a folder of pictures."""

import dataclasses
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping

from emotion_faces.links import Found, Leads, walk
from emotion_faces.throttle import Throttle
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.progress import report
from emotion_pipeline.components.sources import (
    addresses,
    kaggle,
    object_store,
    redundant,
    sample_data,
)
from emotion_pipeline.components.sources.layout import find_layout
from emotion_pipeline.components.sources.packed import is_packed, open_inner, table_in, unpack_file

OPENDATASETS = "opendatasets:"
"""Before a Kaggle reference: it is fetched with that package, not by Kaggle's REST API."""

_DATA = "data"
_REMOVED = "removed.json"


@dataclasses.dataclass(frozen=True)
class DataSource:
    """A folder of pictures, and the files of the redundant tree that are no longer in it.

    root: absolute. removed: empty for a folder of the user's own, in which nothing is deleted.
    """

    root: pathlib.Path
    removed: tuple[redundant.RemovedFile, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Recipe:
    """How to make the pipeline's own copy: its name in the cache and what fills the folder."""

    name: str
    fill: Callable[[pathlib.Path], None]


def resolve_source(
    source: str, cache_dir: pathlib.Path, environ: Mapping[str, str] = os.environ
) -> DataSource:
    """Returns the folder of SOURCE, after fetching, unpacking or drawing it if need be.

    A copy is made aside and renamed when it is whole, so that one that was cut off is never used; a
    whole one is used again. Its redundant tree is deleted.

    Args:
      source: A folder, an archive or a table of pixels, each of them also in an object store,
        `kaggle:OWNER/NAME` (with `/versions/N` for another than the newest), a Kaggle data set's
        URL, either after `opendatasets:`, or `sample`.
      cache_dir: Where the pipeline keeps its own copies.
      environ: Where the Kaggle key and proxies are looked up.

    Raises:
      UserError: The source is not there, is of no known kind, or cannot be fetched or unpacked.
    """
    recipe = _recipe(source, environ, cache_dir)
    if recipe is None:
        return DataSource(root=pathlib.Path(source).resolve())
    copy = cache_dir.resolve() / recipe.name
    if not copy.is_dir():
        _make_copy(source, recipe, copy)
    removed = redundant.read_removed(copy / _REMOVED)
    return DataSource(root=copy / _DATA, removed=tuple(removed))


def fingerprint_source(source: str, cache_dir: pathlib.Path | None = None) -> str:
    """Returns a hash that changes when the source does, without reading any picture.

    Of a folder, also in an object store: every path, size and time of change; of a file: its path,
    size and time of change; of a Kaggle reference: its name and version; of the sample: its name,
    since the pipeline's own copy is changed by nobody.

    Args:
      source: As `resolve_source` has it.
      cache_dir: Where copies are that stand in when Kaggle does not answer.

    Raises:
      UserError: The source is not there or of no known kind.
    """
    recipe = _recipe(source, os.environ, cache_dir)
    if recipe is not None:
        return hashlib.sha256(recipe.name.encode()).hexdigest()
    root = pathlib.Path(source).resolve()
    digest = hashlib.sha256(os.fsencode(root))
    for line in sorted(map(_file_line, walk(root))):
        digest.update(line)
    return digest.hexdigest()


def _recipe(
    source: str, environ: Mapping[str, str], cache_dir: pathlib.Path | None
) -> _Recipe | None:
    """Returns how to make the copy of a source, or None for a folder, which is used as it is."""
    if source == addresses.SAMPLE:
        drawing = pathlib.Path(sample_data.__file__).read_bytes()
        name = f"sample-{hashlib.sha256(drawing).hexdigest()[:12]}"
        return _Recipe(name, lambda folder: sample_data.draw_sample(folder))
    if kaggle.parse_reference(source.removeprefix(OPENDATASETS)) is not None:
        return _kaggle_recipe(source, environ, cache_dir)
    if addresses.is_stored(source):
        return _stored_recipe(source)
    path = pathlib.Path(source)
    if path.is_dir():
        table = table_in(path)
        return None if table is None else _file_recipe(table)
    if path.is_file():
        if not is_packed(path):
            raise UserError(
                f"{source}: a file, but no .zip, no .tar and no table of pixels. {addresses.KINDS}"
            )
        return _file_recipe(path)
    if "://" in source or source.startswith("kaggle:"):
        raise UserError(f"{source}: not the address of a Kaggle data set. {addresses.KINDS}")
    raise UserError(f"{source}: no such file or folder. {addresses.KINDS}")


def _file_recipe(path: pathlib.Path) -> _Recipe:
    status = path.resolve().stat()
    state = f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}"
    digest = hashlib.sha256(os.fsencode(state)).hexdigest()[:12]
    stem = re.sub(r"[^\w.-]", "_", path.name, flags=re.ASCII)[:100]
    return _Recipe(f"unpacked-{stem}-{digest}", lambda folder: unpack_file(path, folder))


def _kaggle_recipe(
    source: str, environ: Mapping[str, str], cache_dir: pathlib.Path | None
) -> _Recipe:
    """Returns how to fetch a data set of Kaggle's, in the version that is asked for, else the newest."""
    address = source.removeprefix(OPENDATASETS)
    reference = kaggle.parse_reference(address) or ""
    version = kaggle.parse_version(address)
    name = "kaggle-" + reference.replace("/", "@")

    def key() -> kaggle.Credentials:
        return kaggle.find_credentials(environ, pathlib.Path.cwd())

    if source.startswith(OPENDATASETS):
        if version is not None:
            raise UserError(f"{source}: opendatasets knows no versions; give it as {address}")
        return _Recipe(
            f"opendatasets-{name}",
            lambda folder: kaggle.fetch_with_opendatasets(reference, folder, key(), environ),
        )
    if version is None:
        version = _newest_version(reference, name, key, environ, cache_dir)
    return _Recipe(
        f"{name}-v{version}",
        lambda folder: kaggle.fetch_dataset(reference, version, folder, key(), environ),
    )


def _newest_version(
    reference: str,
    name: str,
    key: Callable[[], kaggle.Credentials],
    environ: Mapping[str, str],
    cache_dir: pathlib.Path | None,
) -> int:
    """Returns Kaggle's newest version of a data set; the newest copy's where Kaggle cannot be asked."""
    copies = [
        int(copy.name.removeprefix(f"{name}-v"))
        for copy in (cache_dir.glob(f"{name}-v*") if cache_dir else ())
        if copy.name.removeprefix(f"{name}-v").isdecimal()
    ]
    try:
        return kaggle.current_version(reference, key(), environ)
    except UserError as error:
        if not copies:
            raise
        report(
            f"{reference}: its version {max(copies)} here is used; Kaggle was not asked: {error}"
        )
        return max(copies)


def _stored_recipe(source: str) -> _Recipe:
    """Returns how to copy a folder or a file from an object store, by what is stored there now."""
    files = object_store.list_stored(source)
    if not files:
        raise UserError(f"{source}: nothing is stored there. {addresses.KINDS}")
    name = f"stored-{object_store.listing_digest(source, files)}"

    def fetch(folder: pathlib.Path) -> None:
        throttle = Throttle()

        def tell(done: int, total: int) -> None:
            if throttle.ready():
                report(f"{source}: {done} of {total} files copied")

        if [file.address for file in files] != [source]:
            object_store.fetch_stored(files, folder, tell)
            return
        with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
            object_store.fetch_stored(files, pathlib.Path(aside), tell)
            fetched = pathlib.Path(aside) / files[0].path
            if is_packed(fetched):
                unpack_file(fetched, folder)
            else:
                fetched.rename(folder / fetched.name)

    return _Recipe(name, fetch)


def _make_copy(source: str, recipe: _Recipe, copy: pathlib.Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    # The lock goes with the process, however it ends; a second run waits for the first one's copy.
    with open(copy.with_name(f".{copy.name}.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if copy.is_dir():
            return
        partial = copy.with_name(f".{copy.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        data = partial / _DATA
        data.mkdir(parents=True)
        try:
            recipe.fill(data)
            open_inner(data, source)
            layout = find_layout(data, source)
            removed = redundant.remove_redundant_tree(data, layout)
            redundant.write_removed(removed, partial / _REMOVED)
            partial.rename(copy)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _file_line(found: Found) -> bytes:
    path = os.fsencode(found.path)
    if found.entry is None:
        return path + b"\0unreadable\n"
    status = found.entry.stat(follow_symlinks=found.leads is Leads.FILE)
    return b"%b\0%d\0%d\n" % (path, status.st_size, status.st_mtime_ns)
