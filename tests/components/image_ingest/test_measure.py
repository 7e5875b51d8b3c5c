import hashlib
import io
import math
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from emotion_pipeline.components.image_ingest import measure
from emotion_pipeline.components.image_ingest.manifest import COLUMNS
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason
from tests.components.pictures import encode, noise
from tests.hostile_pictures import jpeg_of_scans


def pillow_bytes(mode: str, image_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (6, 4)).save(buffer, image_format, **options)
    return buffer.getvalue()


def test_measures_known_pixels():
    gray = np.array([[0, 0, 0], [0, 255, 0], [0, 0, 0]], np.uint8)
    measured = measure.measure_pixels(gray)
    assert measured.brightness == pytest.approx(1 / 9)
    assert measured.contrast == pytest.approx(math.sqrt(8) / 9)
    # The Laplacian, its border mirrored: -4 in the middle, 2 beside it, 0 in the corners.
    laplacian = np.array([0, 2, 0, 2, -4, 2, 0, 2, 0]) * 255
    assert measured.sharpness == pytest.approx(laplacian.var())
    assert measured.entropy == pytest.approx(
        -(8 / 9) * math.log2(8 / 9) - (1 / 9) * math.log2(1 / 9)
    )
    assert measured.pixel_hash == hashlib.sha256(b"3x3:" + gray.tobytes()).hexdigest()


def test_measures_the_ends_of_the_scales():
    black = measure.measure_pixels(np.zeros((48, 48), np.uint8))
    assert (black.brightness, black.contrast, black.sharpness, black.entropy) == (0, 0, 0, 0)
    white = measure.measure_pixels(np.full((48, 48), 255, np.uint8))
    assert (white.brightness, white.contrast, white.sharpness, white.entropy) == (1, 0, 0, 0)
    half = np.zeros((48, 48), np.uint8)
    half[:24] = 255
    assert measure.measure_pixels(half).contrast == pytest.approx(0.5)
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert measure.measure_pixels(ramp).entropy == pytest.approx(8)


def test_pixel_hash_tells_shapes_apart():
    row = np.arange(12, dtype=np.uint8)
    hashes = {measure.measure_pixels(row.reshape(shape)).pixel_hash for shape in [(3, 4), (4, 3)]}
    assert len(hashes) == 2


def test_reads_a_gray_jpeg():
    data = encode(noise(1))
    measured = measure.measure_image(data)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    expected = measure.measure_pixels(decoded)._replace(
        width=48, height=48, orientation=1, channels=1, format="jpeg"
    )
    assert measured == expected


@pytest.mark.parametrize(
    ("mode", "image_format", "channels"),
    [
        ("L", "PNG", 1),
        ("1", "PNG", 1),
        ("I;16", "PNG", 1),
        ("LA", "PNG", 2),
        ("P", "PNG", 3),
        ("RGB", "PNG", 3),
        ("RGBA", "PNG", 4),
        ("RGB", "JPEG", 3),
    ],
)
def test_reads_every_kind_of_jpeg_and_png(mode, image_format, channels):
    measured = measure.measure_image(pillow_bytes(mode, image_format))
    assert isinstance(measured, measure.Measurements)
    found = (measured.width, measured.height, measured.channels, measured.format)
    assert found == (6, 4, channels, image_format.lower())


def test_the_same_pixels_have_the_same_hash_in_either_format():
    jpeg = encode(noise(2))
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    png = encode(pixels, ".png")
    assert measure.measure_image(jpeg).pixel_hash == measure.measure_image(png).pixel_hash


def quarters(orientation: int, image_format: str = "PNG") -> bytes:
    """A picture of four quarters, upright 0 85 / 170 255, stored as EXIF's orientation has it."""
    upright = np.kron(np.array([[0, 85], [170, 255]], np.uint8), np.ones((16, 24), np.uint8))
    # What viewers do with each orientation, undone (Exif 2.32, section 4.6.4).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright.T[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    options = {"quality": 95} if image_format == "JPEG" else {}
    Image.fromarray(np.ascontiguousarray(stored)).save(buffer, image_format, exif=exif, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_measures_upright_whatever_the_exif_orientation(orientation, image_format):
    data = quarters(orientation, image_format)
    measured = measure.measure_image(data)
    assert (measured.width, measured.height, measured.orientation) == (48, 32, orientation)
    upright = measure.decode_upright(data)
    corners = upright[[8, 8, 24, 24], [12, 36, 12, 36]]
    np.testing.assert_allclose(corners, [0, 85, 170, 255], atol=3)
    if image_format == "PNG":
        assert measured.pixel_hash == measure.measure_image(quarters(1)).pixel_hash
    png = measure.upright_png(data, orientation)
    again = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(again, upright)


def test_broken_exif_does_not_lose_a_picture():
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff"
    measured = measure.measure_image(pillow_bytes("L", "JPEG", exif=exif))
    assert (measured.width, measured.height, measured.orientation) == (6, 4, 1)


def test_does_not_decode_a_jpeg_of_many_scans(monkeypatch):
    assert isinstance(measure.measure_image(jpeg_of_scans(50)), measure.Measurements)
    monkeypatch.setattr(cv2, "imdecode", None)
    assert measure.measure_image(jpeg_of_scans(101)) is PruneReason.TOO_MANY_SCANS


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_finds_every_truncation(extension):
    data = encode(noise(3), extension)
    assert isinstance(measure.measure_image(data), measure.Measurements)
    whole = [
        cut
        for cut in range(len(data))
        if not isinstance(measure.measure_image(data[:cut]), PruneReason)
    ]
    assert whole == []
    assert measure.measure_image(data[: len(data) // 2]) is PruneReason.TRUNCATED
    assert measure.measure_image(data[:-1]) is PruneReason.TRUNCATED


def test_finds_a_truncated_progressive_jpeg():
    buffer = io.BytesIO()
    Image.fromarray(noise(4, 256)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    assert isinstance(measure.measure_image(data), measure.Measurements)
    for share in (0.3, 0.6, 0.9, 0.999):
        assert measure.measure_image(data[: int(len(data) * share)]) is PruneReason.TRUNCATED


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", PruneReason.EMPTY_FILE),
        (b"just some text", PruneReason.NOT_AN_IMAGE),
        (b"\xff\xd8\xff", PruneReason.NOT_AN_IMAGE),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", PruneReason.NOT_AN_IMAGE),
        (pillow_bytes("CMYK", "JPEG"), PruneReason.UNSUPPORTED_FORMAT),
        (pillow_bytes("L", "GIF"), PruneReason.UNSUPPORTED_FORMAT),
        (pillow_bytes("RGB", "BMP"), PruneReason.UNSUPPORTED_FORMAT),
        (pillow_bytes("RGB", "WEBP"), PruneReason.UNSUPPORTED_FORMAT),
        (pillow_bytes("RGB", "TIFF"), PruneReason.UNSUPPORTED_FORMAT),
        (pillow_bytes("RGB", "AVIF"), PruneReason.UNSUPPORTED_FORMAT),
        (b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heic", PruneReason.UNSUPPORTED_FORMAT),
    ],
)
def test_says_why_bytes_are_no_picture(data, reason):
    assert measure.measure_image(data) is reason


def png_of_stated_size(width: int, height: int) -> bytes:
    """Returns a PNG that states a size and holds nearly nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(4097, 4096), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_does_not_decode_a_picture_that_states_too_many_pixels(size, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", None)
    assert measure.measure_image(png_of_stated_size(*size)) is PruneReason.TOO_LARGE


def test_finds_a_png_whose_data_does_not_fill_it():
    measured = measure.measure_image(png_of_stated_size(1000, 1000))
    assert measured in (PruneReason.TRUNCATED, PruneReason.CORRUPT)


def test_survives_flipped_bits():
    for extension in (".jpg", ".png"):
        data = encode(noise(5), extension)
        rng = np.random.default_rng(0)
        for _ in range(300):
            broken = bytearray(data)
            for position in rng.integers(0, len(data), 3):
                broken[position] ^= 1 << int(rng.integers(0, 8))
            measured = measure.measure_image(bytes(broken))
            assert isinstance(measured, (measure.Measurements, PruneReason))


def test_perceptual_hash_changes_little_with_the_picture():
    def bits_apart(one, other):
        return (measure.perceptual_hash(one) ^ measure.perceptual_hash(other)).bit_count()

    smooth = cv2.GaussianBlur(noise(6), (0, 0), 4)
    smooth = cv2.normalize(smooth, None, 20, 220, cv2.NORM_MINMAX)
    brighter = smooth + np.uint8(20)
    recoded = cv2.imdecode(np.frombuffer(encode(smooth), np.uint8), cv2.IMREAD_GRAYSCALE)
    other = cv2.GaussianBlur(noise(7), (0, 0), 4)
    assert bits_apart(smooth, brighter) <= 1
    assert bits_apart(smooth, recoded) <= 3
    assert bits_apart(smooth, other) > 16


def test_measurements_are_manifest_columns():
    assert set(measure.Measurements._fields) <= set(COLUMNS)
