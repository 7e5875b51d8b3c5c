"""Limits on encoded images, checked on their headers before anything is decoded.

Deviation: TensorFlow Serving decodes whatever arrives; a PNG of some kilobytes can take up
gigabytes there.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable

from google.protobuf import message

from emotion_faces.model_server import status
from emotion_faces.protos import example_pb2

_JPEG_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = frozenset([0x00, 0x01, *range(0xD0, 0xD9)])
_GIF_EXTENSION, _GIF_FRAME = 0x21, 0x2C


@dataclasses.dataclass(frozen=True)
class ImageLimits:
    """The most that one image may have: bytes as encoded, pixels as decoded."""

    max_bytes: int = 16 * 1024 * 1024
    max_pixels: int = 4096 * 4096


def decoded_pixels(data: bytes) -> int | None:
    """The pixels that a JPEG, PNG, GIF or BMP decodes to, by its headers; a GIF's frames add up.

    These are the formats that TensorFlow decodes; None for anything else and for a broken header.
    """
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg_pixels(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">II", data, 16)
            return width * height
        if data.startswith((b"GIF87a", b"GIF89a")):
            return _gif_pixels(data)
        if data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", data, 18)
            return abs(width * height)  # a negative height means top row first
    except (struct.error, IndexError):
        return None
    return None


def _jpeg_pixels(data: bytes) -> int | None:
    """Walks the markers as libjpeg does, which skips what is between them."""
    position = 2
    while (position := data.find(b"\xff", position)) >= 0:
        while data[position] == 0xFF:
            position += 1
        marker = data[position]
        position += 1
        if marker in _JPEG_SIZE_MARKERS:
            height, width = struct.unpack_from(">HH", data, position + 3)
            return width * height
        if marker not in _JPEG_BARE_MARKERS:
            position += struct.unpack_from(">H", data, position)[0]
    return None


def _gif_pixels(data: bytes) -> int:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    pixels = width * height
    position = 13 + _gif_colors_size(flags)
    while position < len(data) and data[position] in (_GIF_EXTENSION, _GIF_FRAME):
        if data[position] == _GIF_FRAME:
            width, height, flags = struct.unpack_from("<HHB", data, position + 5)
            pixels += width * height
            position += 11 + _gif_colors_size(flags)
        else:
            position += 2
        while data[position]:  # the length of a block; 0 after the last
            position += 1 + data[position]
        position += 1
    return pixels


def _gif_colors_size(flags: int) -> int:
    return 3 << ((flags & 0x07) + 1) if flags & 0x80 else 0


def check_images(images: Iterable[bytes], limits: ImageLimits, name: str) -> None:
    """Refuses what is no image by its header, and images beyond the limits.

    Raises:
      StatusError: INVALID_ARGUMENT, with `name` and the image's index.
    """
    for index, data in enumerate(images):
        pixels = decoded_pixels(data)
        if not pixels:
            found = "is not a JPEG, PNG, GIF or BMP image with pixels" if data else "is empty"
            raise status.invalid_argument(f"{name}[{index}] {found}")
        _check_limits(data, pixels, limits, f"{name}[{index}]")


def check_strings(values: Iterable[bytes], limits: ImageLimits, name: str) -> None:
    """Refuses strings that are, or as tf.Example hold, images beyond the limits.

    Raises:
      StatusError: INVALID_ARGUMENT, with `name` and the string's index.
    """
    for index, value in enumerate(values):
        for data in [value, *_example_bytes(value)]:
            pixels = decoded_pixels(data)
            if pixels is not None:
                _check_limits(data, pixels, limits, f"{name}[{index}]")


def _example_bytes(value: bytes) -> list[bytes]:
    try:
        example = example_pb2.Example.FromString(value)
    except message.DecodeError:
        return []
    return [
        data for feature in example.features.feature.values() for data in feature.bytes_list.value
    ]


def _check_limits(data: bytes, pixels: int, limits: ImageLimits, name: str) -> None:
    if len(data) > limits.max_bytes:
        raise status.invalid_argument(
            f"{name}: an image of {len(data)} bytes; the limit is {limits.max_bytes} "
            "(--max_image_bytes)"
        )
    if pixels > limits.max_pixels:
        raise status.invalid_argument(
            f"{name}: an image of {pixels} pixels; the limit is {limits.max_pixels} "
            "(--max_image_pixels)"
        )
