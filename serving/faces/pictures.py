"""Decodes pictures that anybody may have made."""

from __future__ import annotations

import io
import warnings

import numpy as np

from emotion_faces.errors import UserError

MAX_PIXELS = 64_000_000
"""A picture with more is refused before its pixels are decoded (they would take 200 MB)."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")


def decode_picture(data: bytes, name: str = "the picture") -> np.ndarray:
    """Decodes a JPEG, PNG, WebP, BMP, TIFF or GIF (its first frame), upright as EXIF tells.

    Args:
      data: the file's bytes.
      name: what error messages call it.

    Returns:
      uint8 RGB [height, width, 3]; transparent parts are white.

    Raises:
      UserError: the bytes are no such picture, are cut off, or hold more than 64 million pixels.
    """
    # Pillow's plugins are loaded at the first use, not when a command line asks for --help.
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not data:
        raise UserError(f"{name} is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's bomb warning: the limit here is checked
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise UserError(
                    f"{name} has {image.width} x {image.height} pixels; at most "
                    f"{MAX_PIXELS // 1_000_000} million are read: scale it down first"
                )
            image.load()
            upright = ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise UserError(
            f"{name} is not a picture that can be read (JPEG, PNG, WebP, BMP, TIFF or GIF)"
        ) from None
    # Hostile files make Pillow's decoders raise almost anything; UserError passes through.
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(f"{name} has too many pixels: scale it down first") from None
    except Exception as error:
        raise UserError(f"{name} is damaged or cut off: {error}") from None
    return _to_rgb(upright)


def _to_rgb(image: object) -> np.ndarray:
    from PIL import Image

    assert isinstance(image, Image.Image)
    if image.mode.startswith(("I", "F")):  # 16 bits or more a pixel: to the full 8-bit range
        values = np.asarray(image, np.float64)
        scale = 255 / max(float(values.max()), 1.0)
        return np.repeat((values * scale).clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba)
    return np.asarray(image.convert("RGB")).copy()
