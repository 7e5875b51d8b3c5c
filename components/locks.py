"""One process at a time, and who it is."""

import contextlib
import contextvars
import datetime
import errno
import fcntl
import json
import logging
import os
import pathlib
import socket
import time
from collections.abc import Iterator
from typing import TextIO

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.progress import report
from emotion_pipeline.components.sources.addresses import is_stored

_TELL_EVERY_SECS = 60.0
_LOOK_EVERY_SECS = 0.2

_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""How a filesystem says that it has no locks."""

_held: contextvars.ContextVar[frozenset[pathlib.Path]] = contextvars.ContextVar(
    "held", default=frozenset()
)


class LockedError(UserError):
    """Another process has what must be had alone; the text says which."""


@contextlib.contextmanager
def alone(
    file: pathlib.Path, what: str, *, wait: bool, remedy: str = "", leave: bool = True
) -> Iterator[bool]:
    """Holds a file's lock while the block runs; within a block that holds it already, does nothing.

    The lock is the kernel's (flock): it goes with the process however that ends, so nothing is left
    behind that somebody must clear away.

    Args:
      file: Made with its folder if need be.
      what: What is locked, for messages.
      wait: Whether to wait for another process, which is told once a minute, or to refuse.
      remedy: What the user can do, where it refuses.
      leave: Whether the file stays, and tells who had it last. One that is removed may be left by a
        process that was killed, and is then no lock.

    Yields:
      Whether the lock is held; false where the filesystem has none, which the log tells.

    Raises:
      LockedError: Another process has it, and this one does not wait.
    """
    file = file.resolve()
    if file in _held.get():
        yield True
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    while True:
        opened = open(file, "a+", encoding="utf-8")  # noqa: SIM115 (closed below)
        is_held = _take(opened, what, wait, remedy)
        if not is_held or _is_current(opened, file):
            break
        # Whoever had it has removed it meanwhile: another file has its name, or none.
        opened.close()
    token = _held.set(_held.get() | {file})
    try:
        if is_held:
            _sign(opened)
        yield is_held
    finally:
        _held.reset(token)
        if is_held and not leave:
            file.unlink(missing_ok=True)
        opened.close()


def _is_current(opened: TextIO, file: pathlib.Path) -> bool:
    """Returns whether an open file is still the one of its name."""
    try:
        return os.path.samestat(os.fstat(opened.fileno()), os.stat(file))
    except FileNotFoundError:
        return False


def _take(opened: TextIO, what: str, wait: bool, remedy: str) -> bool:
    told = -_TELL_EVERY_SECS
    while True:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            holder = _read_holder(opened)
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                opened.close()
                raise
            logging.getLogger(__name__).warning(
                "%s: the filesystem of %s has no locks (%s); see that nobody else uses it meanwhile",
                what,
                opened.name,
                error.strerror,
            )
            return False
        if not wait:
            opened.close()
            raise LockedError(f"{what} is in use by {holder}. {remedy}".rstrip())
        if time.monotonic() - told >= _TELL_EVERY_SECS:
            told = time.monotonic()
            report(f"        waiting for {what}, which is in use by {holder}")
        time.sleep(_LOOK_EVERY_SECS)


def _sign(opened: TextIO) -> None:
    """Writes who holds the lock."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
    opened.seek(0)
    opened.truncate()
    opened.write(json.dumps(holder) + "\n")
    opened.flush()


def _read_holder(opened: TextIO) -> str:
    opened.seek(0)
    try:
        holder = json.loads(opened.read())
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        # It has the lock, and is about to sign.
        return "another process, which has just begun"


@contextlib.contextmanager
def alone_with(checkpoints_dir: str, key: str) -> Iterator[None]:
    """Waits until no other process has the training of a key, and holds it while the block runs.

    Args:
      checkpoints_dir: Folder of all trainings' checkpoints. In an object store nothing can be locked.
      key: Names the training.
    """
    if is_stored(checkpoints_dir):
        yield
        return
    with alone(pathlib.Path(checkpoints_dir) / f".{key}.lock", f"the training {key}", wait=True):
        yield
