"""Writes a result whole or not at all."""

import contextlib
import os
import pathlib


def write_whole(path: str | os.PathLike, content: str | bytes) -> None:
    """Puts content (text as UTF-8) at `path`, in place of what is there; its folder is made if need be.

    It is written aside and renamed: where the disk is full, what was there stays. What is no regular
    file, such as /dev/stdout, is written to.

    Raises:
      OSError: It cannot be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    target = pathlib.Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            file.write(data)
        return
    part = target.with_name(f".{target.name[:200]}.part")
    try:
        part.write_bytes(data)
        os.replace(part, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        # The file that was asked for, not the one aside.
        raise OSError(error.errno, error.strerror, str(path)) from error
