"""Limits on encoded images, checked on their headers before anything is decoded.

Deviation: TensorFlow Serving decodes whatever arrives; a PNG of some kilobytes can take up
gigabytes there, a JPEG of some kilobytes a core for minutes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from google.protobuf import message

from emotion_faces.model_server import status
from emotion_faces.picture_bytes import (
    MAX_SERVED_BYTES,
    MAX_SERVED_PIXELS,
    MODEL_FORMATS,
    decoded_pixels,
    jpeg_header,
    picture_format,
    too_many_scans,
)
from emotion_faces.protos import example_pb2


@dataclasses.dataclass(frozen=True)
class ImageLimits:
    """The most that one image may have: bytes as encoded, pixels as decoded."""

    max_bytes: int = MAX_SERVED_BYTES
    max_pixels: int = MAX_SERVED_PIXELS


def check_images(images: Iterable[bytes], limits: ImageLimits, name: str) -> None:
    """Refuses what a model of this project does not decode, and images beyond the limits.

    Raises:
      StatusError: INVALID_ARGUMENT, with `name` and the image's index.
    """
    for index, data in enumerate(images):
        pixels = decoded_pixels(data)
        if pixels is not None:
            _check_limits(data, pixels, limits, f"{name}[{index}]")
        found = _unfit(data, pixels)
        if found:
            raise status.invalid_argument(f"{name}[{index}] {found}")


def _unfit(data: bytes, pixels: int | None) -> str:
    """Why an image is none that the model decodes, in words; '' for one that is."""
    if not data:
        return "is empty"
    kind = picture_format(data)
    taken = " or ".join(MODEL_FORMATS)
    if kind and kind not in MODEL_FORMATS:
        return f"is {kind}, not a {taken} image: convert it (`emotion predict` does)"
    if not kind or not pixels:
        return f"is not a {taken} image with pixels"
    header = jpeg_header(data) if kind == "JPEG" else None
    if header and header.components not in (1, 3):
        return (
            f"is a JPEG of {header.components} colour components (CMYK); gray and RGB are taken: "
            "convert it (`emotion predict` does)"
        )
    return ""


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
    scans = too_many_scans(data, limits.max_pixels)
    if scans:
        raise status.invalid_argument(
            f"{name} {scans}, which take too long to decode: save it anew"
        )
