"""Opens files that somebody named: never a pipe, which may be waited on for ever, or a device without an end."""

from __future__ import annotations

import errno
import os
import pathlib
import stat
from typing import BinaryIO

MAX_PICTURE_FILE_BYTES = 1 << 29
"""More is no picture that is read: 64 million pixels of 8 bytes, and 24 MB beside."""


def open_regular(path: pathlib.Path) -> BinaryIO:
    """Opens a file to read its bytes.

    Raises:
      OSError: It can't be opened, or is no regular file; `strerror` says which.
    """
    # A pipe that nobody writes to holds up who opens it, unless it is told not to wait.
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
    return file


def read_picture_file(path: pathlib.Path) -> bytes:
    """Reads a whole file that may be a picture.

    Raises:
      OSError: As `open_regular`, or it is larger than any picture that is read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_PICTURE_FILE_BYTES:
            raise OSError(
                errno.EFBIG,
                f"it has {size:,} bytes, and a picture {MAX_PICTURE_FILE_BYTES:,} at most",
            )
        return file.read()
