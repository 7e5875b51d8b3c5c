"""Unpacks a zip of pictures after checking everything in it."""

import pathlib
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable

from emotion_pipeline.components.errors import UserError

MAX_MEMBERS = 2_000_000
MAX_INFLATED_BYTES = 64 * 2**30
MAX_INFLATION = 100
"""Inflated bytes for each byte of the archive; JPEG and PNG members hardly inflate at all."""

_SMALL_BYTES = 64 * 2**20
"""An archive that inflates to less than this may do so by any ratio."""

_ENCRYPTED = 0x1


def unpack_zip(
    archive: pathlib.Path, folder: pathlib.Path, progress: Callable[[int, int], None] | None = None
) -> None:
    """Unpack `archive` into the empty `folder`, once every member of it has been checked.

    Args:
        archive: the zip, which is not trusted.
        folder: where the members go.
        progress: called with the number of members done and the number of all.

    Raises:
        UserError: the zip is corrupt or encrypted, names a path outside itself, holds a link or the
            same name twice, or has more members or inflates to more than the limits or the disk.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            targets = _check(archive, opened, folder)
            for done, (member, target) in enumerate(targets.items(), start=1):
                path = folder / target
                path.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as packed, path.open("xb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
                if progress is not None:
                    progress(done, len(targets))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UserError(
            f"{archive}: cannot be unpacked ({error}). Fetch or make the zip again."
        ) from error
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"{archive}: a member is both a file and a folder ({error}). Make the zip again."
        ) from error


def _check(
    archive: pathlib.Path, opened: zipfile.ZipFile, folder: pathlib.Path
) -> dict[zipfile.ZipInfo, pathlib.PurePosixPath]:
    """Return where each member that is a file goes, relative to the folder."""
    members = opened.infolist()
    if len(members) > MAX_MEMBERS:
        raise UserError(f"{archive}: {len(members)} members, more than the limit of {MAX_MEMBERS}.")
    targets = {}
    for member in members:
        target = _safe_path(archive, member)
        if not member.is_dir():
            targets[member] = target
    if len(set(targets.values())) < len(targets):
        raise UserError(f"{archive}: holds several members of the same name. Make the zip again.")
    inflated = sum(member.file_size for member in targets)
    packed = archive.stat().st_size
    if inflated > MAX_INFLATED_BYTES:
        raise UserError(
            f"{archive}: would inflate to {inflated} bytes, more than the limit of "
            f"{MAX_INFLATED_BYTES}. Unpack it yourself and give the folder."
        )
    if inflated > _SMALL_BYTES and inflated > MAX_INFLATION * packed:
        raise UserError(
            f"{archive}: {packed} bytes would inflate to {inflated}, more than {MAX_INFLATION} for "
            "each byte, which no zip of pictures does. Unpack it yourself if you trust it."
        )
    free = shutil.disk_usage(folder).free
    if inflated > free:
        raise UserError(
            f"{archive}: needs {inflated} bytes, but {folder} has {free} free. Make room, or put "
            "the cache elsewhere."
        )
    return targets


def _safe_path(archive: pathlib.Path, member: zipfile.ZipInfo) -> pathlib.PurePosixPath:
    # Some programs for Windows write backslashes.
    path = pathlib.PurePosixPath(member.filename.replace("\\", "/"))
    drive = pathlib.PureWindowsPath(member.filename).drive
    if path.is_absolute() or drive or ".." in path.parts:
        raise UserError(
            f"{archive}: member {member.filename!r} points outside the archive. Nothing was "
            "unpacked; do not trust this zip."
        )
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UserError(
            f"{archive}: member {member.filename!r} is a link or a special file. Nothing was "
            "unpacked; make the zip again from plain files."
        )
    if member.flag_bits & _ENCRYPTED:
        raise UserError(f"{archive}: member {member.filename!r} is encrypted. Unpack it yourself.")
    return path
