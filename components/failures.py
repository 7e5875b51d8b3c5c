"""What the system refused, in a sentence: which file, what was found, what to do."""

import errno
from collections.abc import Iterator

from emotion_pipeline.components.errors import UserError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_TEXTS = (
    "no space left on device",
    "disk quota exceeded",
    "file too large",
    "database or disk is full",
    # SQLite, where it has taken a transaction back by itself: as it does when the disk is full.
    "cannot commit - no transaction is active",
)
_REMEDIES = {
    errno.EACCES: "Choose another place, or change its permissions",
    errno.EPERM: "Choose another place, or change its permissions",
    errno.EROFS: "Choose another place: this one can only be read",
    errno.ENOTDIR: "A part of this path is a file, where a folder is needed: choose another place",
    errno.EEXIST: "There is a file of that name, where a folder is needed: choose another place",
    errno.EISDIR: "It is a folder, where a file is needed: give a file's name",
    errno.ENOENT: "Check the path",
    errno.ELOOP: "It is a link that leads back to itself: give what it was to lead to",
    errno.ENAMETOOLONG: "Give a shorter path",
    errno.EMFILE: "Raise the limit of open files (ulimit -n)",
}


def is_full(error: BaseException) -> bool:
    """Returns whether a full disk, a quota or a limit of a file's size is behind an error.

    TensorFlow, SQLite and Beam have errors of their own for it, which only say so.
    """
    return any(
        (isinstance(one, OSError) and one.errno in _FULL)
        or any(text in str(one).lower() for text in _FULL_TEXTS)
        for one in _chain(error)
    )


def describe_failure(error: BaseException, place: str = "") -> str:
    """Returns an error as the user is told of it.

    Args:
      error: A UserError has its own words, and so has whatever is not of the system.
      place: What is being written, for errors that name no file; "" where the command does not go on.
    """
    if isinstance(error, UserError):
        return str(error)
    refused = next((one for one in _chain(error) if isinstance(one, OSError) and one.errno), None)
    if is_full(error):
        where = _file(refused) or place or "a file or the output"
        again = "give the same command again: it goes on where it stopped" if place else "try again"
        return (
            f"{where}: cannot be written, for the disk is full or a limit of size is reached. Make "
            f"room, and {again}"
        )
    if isinstance(error, OSError) and refused is not None:
        where = _file(refused) or place
        told = f"{where}: {refused.strerror}" if where else str(refused)
        remedy = _REMEDIES.get(refused.errno or 0)
        return f"{told}. {remedy}" if remedy else told
    return str(error) or type(error).__name__


def _file(error: OSError | None) -> str:
    name = error.filename2 or error.filename if error is not None else None
    if isinstance(name, bytes):
        return name.decode("utf-8", "backslashreplace")
    return str(name) if isinstance(name, str) or hasattr(name, "__fspath__") else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
