"""What the bytes of a picture say of it before anything is decoded: format, size, scans, turn.

The formats, for everything in the project that reads pictures:

- READ_FORMATS are read by `annotate`, `predict` and the page (`emotion_faces.faces.pictures`).
- MODEL_FORMATS are what a served model decodes, and what is trained on: JPEG in gray or RGB, and PNG.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

MODEL_FORMATS = ("JPEG", "PNG")
READ_FORMATS = ("JPEG", "PNG", "WebP", "BMP", "TIFF", "GIF", "HEIC", "AVIF")
READ_FORMATS_TOLD = f"{', '.join(READ_FORMATS[:-1])} or {READ_FORMATS[-1]}"

MAX_SERVED_BYTES = 16 * 1024 * 1024
MAX_SERVED_PIXELS = 4096 * 4096
"""The most that a picture may have, encoded and decoded, that a model server is sent (by default)."""

MAX_JPEG_SCANS = 100
"""More scans are refused, as libjpeg's advice LJT-01-003 recommends (an ordinary file has ten).

A progressive JPEG is decoded once for each of its scans, and a scan without content takes six bytes.
"""

MAX_FULL_SCANS = 16
"""Of pictures as large as is allowed; smaller ones may have as many more, up to MAX_JPEG_SCANS."""

_MAX_SEGMENTS = 10_000
"""Of a JPEG; a real one has some hundred at most, and each costs time here."""

_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
"""A marker with a length, or the end; those without, and what fills gaps, are passed over."""

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_END, _JPEG_SCAN = 0xD9, 0xDA

_PNG_BESIDE = frozenset({b"iCCP", b"tEXt", b"zTXt", b"iTXt"})
_PNG_WITH_TURN = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
_MAX_CHUNKS = 100_000
"""Of a PNG that are looked at; one of 64 million pixels in the usual chunks of 8 KiB has some 30,000."""

_GIF_EXTENSION, _GIF_FRAME = 0x21, 0x2C
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_BEGINNINGS = (
    (b"\xff\xd8\xff\xf7", "JPEG-LS"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),  # BigTIFF
    (b"MM\x00+", "TIFF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
)


def picture_format(data: bytes) -> str:
    """The format of a picture by its first 32 bytes: one of READ_FORMATS or of others; '' for none."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        brands = {data[8:12], *(data[i : i + 4] for i in range(16, 32, 4))}
        if data[8:12] in _AVIF_BRANDS or (data[8:12] in _HEIF_BRANDS and brands & _AVIF_BRANDS):
            return "AVIF"
        return "HEIC" if data[8:12] in _HEIF_BRANDS else ""
    return next((name for start, name in _BEGINNINGS if data.startswith(start)), "")


class JpegHeader(NamedTuple):
    """A JPEG's size in pixels, its colour components, and its scans (counted up to the bound)."""

    width: int
    height: int
    components: int
    scans: int

    @property
    def pixels(self) -> int:
        """Pixels of the decoded picture."""
        return self.width * self.height


def jpeg_header(data: bytes) -> JpegHeader | None:
    """Walks a JPEG's markers as libjpeg does; None where no frame is found, or too many segments."""
    position = 2
    frame: tuple[int, int, int] | None = None
    scans = 0
    for _ in range(_MAX_SEGMENTS):
        match = _JPEG_MARKER.search(data, position)
        if match is None or match[1][0] == _JPEG_END or scans > MAX_JPEG_SCANS:
            break
        marker, position = match[1][0], match.end()
        try:
            (length,) = struct.unpack_from(">H", data, position)
            if marker in _JPEG_FRAMES and frame is None:
                height, width, components = struct.unpack_from(">HHB", data, position + 3)
                frame = width, height, components
        except struct.error:
            break
        scans += marker == _JPEG_SCAN
        position += length
    else:
        return None
    return JpegHeader(*frame, scans) if frame else None


def too_many_scans(data: bytes, max_pixels: int) -> str:
    """Says why a JPEG would take too long to decode, in words; '' for one that does not.

    Args:
      data: The file's bytes, of any format.
      max_pixels: The most that a picture may have where it is to be decoded.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        return ""
    header = jpeg_header(data)
    if header is None:
        return "is a JPEG without a picture, or of thousands of segments"
    if header.scans > MAX_JPEG_SCANS:
        return f"is a JPEG of more than {MAX_JPEG_SCANS} scans"
    if header.pixels * header.scans > MAX_FULL_SCANS * max_pixels:
        return f"is a JPEG of {header.scans} scans of {header.width} x {header.height} pixels"
    return ""


def without_texts(png: bytes) -> bytes:
    """Returns a PNG without its colour profile and texts, but for those that may say which side is up.

    No pixel that is read depends on them, and Pillow refuses the whole picture where one is larger than a MiB.
    """
    kept = []
    start = position = 8
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(png):
            break
        (length,) = struct.unpack_from(">I", png, position)
        content, end = position + 8, position + 12 + length
        if png[position + 4 : content] in _PNG_BESIDE and not png.startswith(
            _PNG_WITH_TURN, content
        ):
            kept.append(png[start:position])
            start = end
        position = end
    return b"".join([png[:8], *kept, png[start:]]) if kept else png


def decoded_pixels(data: bytes) -> int | None:
    """The pixels that a JPEG, PNG, GIF or BMP decodes to, by its headers; a GIF's frames add up.

    These are the formats that TensorFlow decodes; None for anything else and for a broken header.
    """
    try:
        kind = picture_format(data[:32])
        if kind == "JPEG":
            header = jpeg_header(data)
            return header.pixels if header else None
        if kind == "PNG":
            width, height = struct.unpack_from(">II", data, 16)
            return width * height
        if kind == "GIF":
            return _gif_pixels(data)
        if kind == "BMP":
            width, height = struct.unpack_from("<ii", data, 18)
            return abs(width * height)  # a negative height means top row first
    except (struct.error, IndexError):
        return None
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
