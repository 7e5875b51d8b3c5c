"""Limits on encoded images, checked on their headers before anything is decoded.

Deviation: TensorFlow Serving decodes whatever arrives; a PNG of some hundred bytes can take up
gigabytes there.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable

from serving.model_server import status

_JPEG_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = frozenset([0x01, *range(0xD0, 0xD9)])


@dataclasses.dataclass(frozen=True)
class ImageLimits:
    """The most that one image may have: bytes as encoded, pixels as decoded."""

    max_bytes: int = 16 * 1024 * 1024
    max_pixels: int = 4096 * 4096


def image_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels that the header of a JPEG, PNG, GIF or BMP states.

    These are the formats that TensorFlow decodes; None for anything else and for a broken header.
    """
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg_size(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack_from(">II", data, 16)
        if data.startswith((b"GIF87a", b"GIF89a")):
            return struct.unpack_from("<HH", data, 6)
        if data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", data, 18)
            return abs(width), abs(height)  # a negative height means top row first
    except struct.error:
        return None
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
        elif marker in _JPEG_BARE_MARKERS:
            position += 2
        elif marker in _JPEG_SIZE_MARKERS:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        else:
            position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    return None


def check_images(images: Iterable[bytes], limits: ImageLimits, name: str) -> None:
    """Refuses images that are no images by their header, or beyond the limits.

    Raises:
      StatusError: INVALID_ARGUMENT, with `name` and the image's index.
    """
    for index, data in enumerate(images):
        if len(data) > limits.max_bytes:
            raise status.invalid_argument(
                f"{name}[{index}] has {len(data)} bytes; the limit is {limits.max_bytes}"
            )
        size = image_size(data)
        if size is None:
            found = "is empty" if not data else "is not a JPEG, PNG, GIF or BMP image"
            raise status.invalid_argument(f"{name}[{index}] {found}")
        check_size(size, limits, f"{name}[{index}]")


def check_size(size: tuple[int, int], limits: ImageLimits, name: str) -> None:
    """Refuses a width and height, in pixels, that make no image or too many pixels.

    Raises:
      StatusError: INVALID_ARGUMENT.
    """
    width, height = size
    if not width or not height:
        raise status.invalid_argument(f"{name} is {width}x{height} pixels: it has none")
    if width * height > limits.max_pixels:
        raise status.invalid_argument(
            f"{name} is {width}x{height} pixels; the limit is {limits.max_pixels} pixels"
        )
