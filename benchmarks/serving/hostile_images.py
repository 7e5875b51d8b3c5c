"""Pictures that are broken, claim to be larger than they are, or grow as they are decoded."""

import io
import struct
import zlib

import numpy as np
import tensorflow as tf


def jpeg(width: int = 48, height: int = 48) -> bytes:
    """Returns a gray JPEG of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 1), np.uint8)
    return tf.io.encode_jpeg(noise).numpy()


def png_bomb(width: int, height: int) -> bytes:
    """Returns a small PNG that inflates to width x height gray pixels, all zero."""

    def chunk(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    packer = zlib.compressobj(9)
    row = bytes(width + 1)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def gif_bomb(screen: int, frame: int, frames: int) -> bytes:
    """Returns a GIF of all-zero frames; a frame may be larger than the screen its header states."""
    header = b"GIF89a" + struct.pack("<HHBBB", screen, screen, 0x80, 0, 0) + bytes(6)
    descriptor = b"," + struct.pack("<HHHHB", 0, 0, frame, frame, 0)
    codes = _lzw_zeros(frame * frame)
    blocks = b"".join(
        bytes([len(codes[i : i + 255])]) + codes[i : i + 255] for i in range(0, len(codes), 255)
    )
    return header + (descriptor + b"\x02" + blocks + b"\x00") * frames + b";"


def _lzw_zeros(pixels: int) -> bytes:
    """GIF's LZW code for that many pixels of value 0, two bits a pixel."""
    clear, end = 4, 5
    packed, position = 0, 0
    out = bytearray()
    width, free, run = 3, 6, 0

    def put(code):
        nonlocal packed, position
        packed |= code << position
        position += width
        while position >= 8:
            out.append(packed & 255)
            packed >>= 8
            position -= 8

    put(clear)
    while pixels:
        # Each code stands for one zero more than the last, until the table of 4096 is full.
        longer = min(run + 1, pixels)
        put(0 if longer == 1 else end + longer - 1)
        pixels -= longer
        if run:
            free += 1
        run = longer
        if free == 1 << width and width < 12:
            width += 1
        if free == 4095 and pixels:
            put(clear)
            width, free, run = 3, 6, 0
    put(end)
    width = 8
    put(0)
    return bytes(out)


def oversized_jpeg(side: int) -> bytes:
    """Returns a small JPEG whose header claims side x side pixels."""
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", side, side)
    return bytes(data)


def hostile_images() -> list[bytes]:
    """Returns images that are broken, oversized or bombs, and some that only look odd."""
    good = jpeg()
    gif = io.BytesIO(b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)).getvalue()
    bmp = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 70, 0, 0, 54, 40, 60000, 60000, 1, 24, *[0] * 6)
    return [
        b"",
        b"\x00",
        b"not an image",
        good[:20],
        good[: len(good) // 2],
        good + b"trailing",
        good[:2] + good[2:] * 3,
        jpeg(1, 1),
        jpeg(3000, 7),
        oversized_jpeg(65500),
        oversized_jpeg(20000),
        png_bomb(12000, 12000),
        png_bomb(65535, 64),
        png_bomb(0, 0),
        png_bomb(40000, 4)[:-30],
        gif,
        bmp,
        b"\xff\xd8\xff" + bytes(1000),
        bytes(1 << 20),
    ]
