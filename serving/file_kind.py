"""Tells pictures and films by what is in a file, not by its name."""

from __future__ import annotations

import enum
import pathlib
from collections.abc import Iterator

from emotion_faces.links import Leads, walk
from emotion_faces.picture_bytes import picture_format
from emotion_faces.regular_file import open_regular

PICTURE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png"}
    | {".tif", ".tiff", ".webp"}
)
_JPEG_FILM_SUFFIXES = frozenset({".mjpeg", ".mjpg"})
"""Films that are one JPEG after another: their content alone does not tell them from a picture."""
FILM_SUFFIXES = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
    | _JPEG_FILM_SUFFIXES
)
"""What a file is taken for where its content does not tell: it is damaged, say, and is named so."""

_HEAD_BYTES = 512
_FILM_BEGINNINGS = (b"\x1aE\xdf\xa3", b"FLV\x01", b"\x00\x00\x01\xba", b"0&\xb2u\x8ef\xcf\x11")
"""Matroska and WebM, Flash, MPEG program streams, ASF and WMV."""
_SOUND_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P ", b"F4A "})
_PACKET_BYTES = 188  # of an MPEG transport stream; each begins with this:
_SYNC = 0x47


class FileKind(enum.Enum):
    """What a file is; OTHER is neither."""

    PICTURE = "picture"
    FILM = "film"
    OTHER = "other"


def kind_of_file(path: pathlib.Path) -> FileKind:
    """What a file is by its first bytes, or by its suffix where they say nothing.

    A folder, which nobody could list, counts as a picture, so that it is named as one that can't be read.
    """
    if path.is_dir():
        return FileKind.PICTURE
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        head = b""  # whoever reads it says why it can't be read
    suffix = path.suffix.lower()
    picture = picture_format(head)
    if picture:
        is_film = picture == "JPEG" and suffix in _JPEG_FILM_SUFFIXES
        return FileKind.FILM if is_film else FileKind.PICTURE
    if _begins_film(head):
        return FileKind.FILM
    if suffix in PICTURE_SUFFIXES:
        return FileKind.PICTURE
    return FileKind.FILM if suffix in FILM_SUFFIXES else FileKind.OTHER


def files_below(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """The files in a folder, searched deep and sorted; links to folders elsewhere are followed.

    Whatever cannot be read is one too, whoever reads it says so: a pipe, a link that leads nowhere, and a
    folder that cannot be listed.
    """
    for found in walk(folder):
        path = folder / found.path
        # The files of a folder inside are found where they are.
        if not (found.leads in (Leads.FOLDER_INSIDE, Leads.LOOP) and path.is_dir()):
            yield path


def _begins_film(head: bytes) -> bool:
    if head[4:8] == b"ftyp":
        return head[8:12] not in _SOUND_BRANDS
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    is_stream = len(head) > 2 * _PACKET_BYTES and all(
        head[i * _PACKET_BYTES] == _SYNC for i in range(3)
    )
    return is_stream or head.startswith(_FILM_BEGINNINGS)
