"""Decodes pictures that anybody may have made."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from emotion_faces.errors import UserError
from emotion_faces.picture_bytes import (
    READ_FORMATS,
    READ_FORMATS_TOLD,
    jpeg_header,
    picture_format,
    too_many_scans,
    without_texts,
)
from emotion_faces.upright import TURN_OF_ORIENTATION, orientation_of, turned

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 64_000_000
"""A picture with more is refused before its pixels are decoded (they would take 200 MB)."""

_PILLOW_NAMES = {"HEIC": "HEIF", "WebP": "WEBP", "JPEG": "JPEG"}
_BAND_ROWS = 256  # converted at a time, so that there are never two whole copies of other kinds


def decode_picture(
    data: bytes, name: str = "the picture", tell: Callable[[str], object] | None = None
) -> np.ndarray:
    """Decodes a picture of one of READ_FORMATS (an animation's first frame), upright as EXIF tells.

    Args:
      data: The file's bytes; they tell the format, not the name.
      name: What error messages call it.
      tell: Is told in words where the file holds several pictures, of which the first is read.

    Returns:
      uint8 RGB [height, width, 3]; transparent parts are white.

    Raises:
      UserError: The bytes are no such picture, are cut off, or hold more than 64 million pixels.
    """
    with open_picture(data, name) as image:
        tell_of_several(image, name, tell)
        return upright_rgb(image, name)


def tell_of_several(
    image: Image.Image, name: str, tell: Callable[[str], object] | None = None
) -> None:
    """Tells of an animation, and of a file with pages; what cameras put beside a JPEG's picture is no other one."""
    several = False
    with contextlib.suppress(Exception):  # what is wrong with the second is none of the first one's
        several = image.format != "MPO" and getattr(image, "is_animated", False)
    if tell and several:
        tell(f"{name} holds several pictures: the first alone is read")


def upright_rgb(image: Image.Image, name: str = "the picture") -> np.ndarray:
    """Returns the pixels of an image of Pillow's, as `decode_picture` does those of its file.

    Raises:
      UserError: It cannot be decoded, or has no pixels.
    """
    if not image.width * image.height:
        raise UserError(f"{name} has no pixels: it is {image.width} x {image.height}")
    with told(name):
        image.load()
        return turned(_to_rgb(image), TURN_OF_ORIENTATION[orientation_of(image)])


@contextlib.contextmanager
def open_picture(data: bytes, name: str) -> Iterator[Image.Image]:
    """Opens a picture with Pillow, without decoding it, once its header has passed all limits.

    Raises:
      UserError: As decode_picture.
    """
    # Pillow's plugins are loaded at the first use, not when a command line asks for --help.
    from PIL import Image

    if not data:
        raise UserError(f"{name} is empty (0 bytes)")
    kind = picture_format(data[:32])
    if not kind:
        raise UserError(f"{name} is not a picture that can be read ({READ_FORMATS_TOLD})")
    if kind not in READ_FORMATS:
        raise UserError(
            f"{name} is a {kind} picture, which can't be read: save it as {READ_FORMATS_TOLD}"
        )
    if kind == "JPEG" and jpeg_header(data) is None:
        raise UserError(
            f"{name} is damaged or cut off: it is a JPEG in which no picture begins, or of thousands of segments"
        )
    scans = too_many_scans(data, MAX_PIXELS)
    if scans:
        raise UserError(f"{name} {scans}, which would take too long: save it anew")
    if kind == "HEIC":
        import pi_heif

        # Only the picture itself: no thumbnails, no depth maps.
        pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    if kind == "PNG":
        data = without_texts(data)
    formats = ("JPEG", "MPO") if kind == "JPEG" else (_PILLOW_NAMES.get(kind, kind),)
    with told(name):
        image = Image.open(io.BytesIO(data), formats=formats)
    with image:
        if image.width * image.height > MAX_PIXELS:
            raise UserError(
                f"{name} has {image.width} x {image.height} pixels; at most "
                f"{MAX_PIXELS // 1_000_000} million are read: scale it down first"
            )
        yield image


@contextlib.contextmanager
def told(name: str) -> Iterator[None]:
    """Turns whatever Pillow raises for a picture into a UserError that names it."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's bomb warning: the limit here is checked
            yield
    except Image.DecompressionBombError:
        raise UserError(f"{name} has too many pixels: scale it down first") from None
    except UnidentifiedImageError:  # its own words name an object in memory
        raise UserError(
            f"{name} is damaged or cut off, or of a rare kind that can't be read: its header makes no sense"
        ) from None
    # Hostile files make Pillow's decoders raise almost anything.
    except Exception as error:
        raise UserError(f"{name} is damaged or cut off: {error}") from None


def _to_rgb(image: Image.Image) -> np.ndarray:
    deep = image.mode.startswith(("I", "F"))  # 16 bits or more a pixel: to the full 8-bit range
    highest = max(float(np.asarray(image.getextrema())[1]), 1.0) if deep else 255.0
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, _BAND_ROWS):
        bottom = min(top + _BAND_ROWS, image.height)
        band = image.crop((0, top, image.width, bottom))
        if deep:
            values = np.asarray(band, np.float32)
            if not np.isfinite(values).all():
                raise ValueError("some of its pixels are no numbers")
            values = values * np.float32(255 / highest)
            pixels[top:bottom] = values.clip(0, 255).astype(np.uint8)[:, :, None]
        else:
            pixels[top:bottom] = _on_white(band)
    return pixels


def _on_white(image: Image.Image) -> np.ndarray:
    from PIL import Image

    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(image.convert("RGB"))
