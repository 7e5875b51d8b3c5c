"""Pictures that cost far more to decode than to send."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def jpeg_of_scans(scans: int, size_px: int = 64) -> bytes:
    """A progressive gray JPEG with that many scans; the last one is there again and again."""
    buffer = io.BytesIO()
    ramp = np.add.outer(np.arange(size_px), np.arange(size_px)).astype(np.uint8)
    Image.fromarray(ramp).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    more = scans - data.count(b"\xff\xda")
    return data[:-2] + data[last:-2] * more + b"\xff\xd9"


def png_of_16_bits(size_px: int) -> bytes:
    """A gray PNG of 16 bits a pixel, every one the same."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", size_px, size_px, 16, 0, 0, 0, 0)
    rows = zlib.compress((b"\x00" + b"\x12\x34" * size_px) * size_px, 1)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
