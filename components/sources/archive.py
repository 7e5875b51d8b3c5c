"""Unpacks an archive of pictures, a zip or a tar, after checking everything in it."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import pathlib
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

from emotion_pipeline.components.errors import UserError

MAX_MEMBERS = 2_000_000
MAX_INFLATED_BYTES = 64 * 2**30
MAX_INFLATION = 100
"""Inflated bytes for each byte of the archive; JPEG and PNG members hardly inflate at all."""

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

_SMALL_BYTES = 64 * 2**20
"""An archive that inflates to less than this may do so by any ratio."""

MAX_NAME_BYTES = 255  # of Linux's file systems, and of most others
_MAX_PATH_BYTES = 4095  # of a whole path, on Linux
_ENCRYPTED = 0x1
_TAR_READ_BYTES = 2**20
_DECOMPRESSORS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,
)

Progress = Callable[[int, int], None]
"""Called with the number of members done and the number of all."""


class _Member(NamedTuple):
    """What an archive says of a member; `kind` is `file`, `folder` or what else it is."""

    name: str
    bytes: int
    kind: str
    handle: Any


def is_archive(path: pathlib.Path) -> bool:
    """Returns whether this is a zip or a tar, compressed or not, by its content."""
    if zipfile.is_zipfile(path):
        return True
    try:
        with _open_tar(path) as (opened, _):
            return opened.next() is not None
    except (UserError, OSError, *_DAMAGED):
        return False


def unpack(archive: pathlib.Path, folder: pathlib.Path, progress: Progress | None = None) -> None:
    """Unpacks `archive` into the empty `folder`, once every member of it has been checked.

    Args:
      archive: A zip, or a tar, plain or compressed by gzip, bzip2 or xz; it is not trusted.
      folder: Where the members go.
      progress: Called with the number of members done and the number of all.

    Raises:
      UserError: The archive is corrupt or encrypted, names a path outside itself, holds a link or
        the same name twice, or has more members or inflates to more than the limits or the disk.
    """
    is_zip = archive.suffix.lower() == ".zip" or zipfile.is_zipfile(archive)
    try:
        with _opened_zip(archive) if is_zip else _opened_tar(archive) as (members, read):
            targets = _check(archive, members, folder)
            for done, (target, member) in enumerate(targets.items(), start=1):
                path = folder / target
                path.parent.mkdir(parents=True, exist_ok=True)
                with read(member) as packed, path.open("xb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
                if path.stat().st_size != member.bytes:
                    raise EOFError(f"{member.name} ends early")
                if progress is not None:
                    progress(done, len(targets))
    except _DAMAGED as error:
        raise UserError(
            f"{archive}: cannot be unpacked ({error}). Fetch or make it again."
        ) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise UserError(
            f"{archive}: a member is both a file and a folder: {target}. Make it again."
        ) from error


_Opened = tuple[Iterator[_Member], Callable[[_Member], IO[bytes]]]


@contextlib.contextmanager
def _opened_zip(archive: pathlib.Path) -> Iterator[_Opened]:
    with zipfile.ZipFile(archive) as opened:
        yield (_zip_member(info) for info in opened.infolist()), lambda one: opened.open(one.handle)


def _zip_member(info: zipfile.ZipInfo) -> _Member:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & _ENCRYPTED:
        told = "encrypted"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        told = "a link or a special file"
    else:
        told = "folder" if info.is_dir() else "file"
    return _Member(info.filename, info.file_size, told, info)


@contextlib.contextmanager
def _opened_tar(archive: pathlib.Path) -> Iterator[_Opened]:
    with _open_tar(archive) as (opened, bounded):

        def read(member: _Member) -> IO[bytes]:
            content = opened.extractfile(member.handle)
            assert content is not None
            return content

        yield _tar_members(opened, bounded), read


def _tar_members(opened: tarfile.TarFile, bounded: "_Bounded") -> Iterator[_Member]:
    yield from map(_tar_member, opened)
    # tarfile takes a damaged header for the end; all after it would be missing without a word.
    if bounded.last.strip(b"\0"):
        raise tarfile.ReadError(f"damaged after {len(opened.getmembers())} members")


def _tar_member(info: tarfile.TarInfo) -> _Member:
    kinds = ((info.isreg, "file"), (info.isdir, "folder"))
    told = next((kind for holds, kind in kinds if holds()), "a link or a special file")
    return _Member(info.name, info.size, told, info)


@contextlib.contextmanager
def _open_tar(archive: pathlib.Path) -> Iterator[tuple[tarfile.TarFile, "_Bounded"]]:
    with archive.open("rb") as packed:
        magic = packed.read(6)
        packed.seek(0)
        decompress = next(
            (way for start, way in _DECOMPRESSORS.items() if magic.startswith(start)), None
        )
        inflated: IO[bytes] = packed if decompress is None else decompress(packed)
        bounded = _Bounded(archive, inflated)
        with inflated, tarfile.open(fileobj=bounded, mode="r:") as opened:
            yield opened, bounded


class _Bounded(io.RawIOBase):
    """A file of which no more is read at once than a tar of pictures needs; `last` is what was read last.

    tarfile reads a header that is as long as the archive says into memory whole.
    """

    def __init__(self, archive: pathlib.Path, inner: IO[bytes]):
        self._archive = archive
        self._inner = inner
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _TAR_READ_BYTES:
            raise UserError(
                f"{self._archive}: a header of {size} bytes, which no tar of pictures has. Unpack "
                "it yourself if you trust it."
            )
        self.last = self._inner.read(size)
        return self.last

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _check(
    archive: pathlib.Path, members: Iterator[_Member], folder: pathlib.Path
) -> dict[pathlib.PurePosixPath, _Member]:
    """Returns the members that are files, by where each goes, relative to the folder.

    The limits hold while the members are read, since a tar has no list of them in one place.
    """
    targets: dict[pathlib.PurePosixPath, _Member] = {}
    packed = archive.stat().st_size
    inflated = count = 0
    for count, member in enumerate(members, start=1):
        if count > MAX_MEMBERS:
            break
        target = _safe_path(archive, member, folder)
        if member.kind == "folder":
            continue
        if target in targets:
            raise UserError(f"{archive}: holds several members of the same name. Make it again.")
        targets[target] = member
        inflated += member.bytes
        _check_size(archive, packed, inflated)
    if count > MAX_MEMBERS:
        raise UserError(f"{archive}: more members than the limit of {MAX_MEMBERS}.")
    free = shutil.disk_usage(folder).free
    if inflated > free:
        raise UserError(
            f"{archive}: needs {inflated} bytes, but {folder} has {free} free. Make room, or put "
            "the cache elsewhere."
        )
    return targets


def _check_size(archive: pathlib.Path, packed: int, inflated: int) -> None:
    if inflated > MAX_INFLATED_BYTES:
        raise UserError(
            f"{archive}: would inflate to {inflated} bytes or more, above the limit of "
            f"{MAX_INFLATED_BYTES}. Unpack it yourself and give the folder."
        )
    if inflated > _SMALL_BYTES and inflated > MAX_INFLATION * packed:
        raise UserError(
            f"{archive}: {packed} bytes would inflate to {inflated}, more than {MAX_INFLATION} for "
            "each byte, which no archive of pictures does. Unpack it yourself if you trust it."
        )


def _safe_path(
    archive: pathlib.Path, member: _Member, folder: pathlib.Path
) -> pathlib.PurePosixPath:
    # Some programs for Windows write backslashes.
    path = pathlib.PurePosixPath(member.name.replace("\\", "/"))
    drive = pathlib.PureWindowsPath(member.name).drive
    if path.is_absolute() or drive or ".." in path.parts:
        raise UserError(
            f"{archive}: member {member.name!r} points outside the archive. Nothing was "
            "unpacked; do not trust it."
        )
    longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    whole = len(os.fsencode(folder / path))
    if longest > MAX_NAME_BYTES or whole > _MAX_PATH_BYTES:
        found = (
            f"a name of {longest} bytes, and a file system takes {MAX_NAME_BYTES}"
            if longest > MAX_NAME_BYTES
            else f"a path of {whole} bytes where it goes, and the system takes {_MAX_PATH_BYTES}"
        )
        raise UserError(
            f"{archive}: member {member.name[:60]!r}... has {found}. Nothing was unpacked; make it again "
            "with shorter names."
        )
    if member.kind not in ("file", "folder"):
        raise UserError(
            f"{archive}: member {member.name!r} is {member.kind}. Nothing was unpacked; make the "
            "archive again from plain files, without a password."
        )
    return path
