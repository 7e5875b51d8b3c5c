"""Decodes one picture, once, and takes every number of it that the pipeline uses."""

import hashlib
import io
import math
import warnings
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from emotion_faces.picture_bytes import picture_format, too_many_scans
from emotion_faces.upright import TURN_OF_ORIENTATION, orientation_of, turned
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason

MAX_IMAGE_BYTES = 32 * 2**20
"""A file of more bytes than this is not read."""

MAX_IMAGE_PIXELS = 4096 * 4096
"""A picture whose header states more pixels than this is not decoded."""

_END_MARKERS = {"jpeg": b"\xff\xd9", "png": b"IEND\xaeB`\x82"}
_FORMATS = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png"}
_RECOGNISED = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "ICO")
_HASH_SIDE = 8
_DCT_SIDE = 32


class Measurements(NamedTuple):
    """What a picture's manifest row says of it; see `manifest.COLUMNS`."""

    width: int
    height: int
    orientation: int
    channels: int
    format: str
    pixel_hash: str
    perceptual_hash: str
    brightness: float
    contrast: float
    sharpness: float
    entropy: float


class Job(NamedTuple):
    """A file to be read, and whether it is to be measured as a picture."""

    path: str
    is_picture: bool


class Reading(NamedTuple):
    """What reading a file gave: SHA-256 of its bytes, hex, and what its picture is.

    `picture` says why the file cannot be used, where it cannot; None where nobody asked.
    """

    content_hash: str
    picture: Measurements | PruneReason | None


NOT_MEASURED = Measurements(0, 0, 0, 0, "", "", "", math.nan, math.nan, math.nan, math.nan)


def read_file(job: Job | None) -> Reading | None:
    """Reads a file, once, and measures it; None is answered with None."""
    if job is None:
        return None
    try:
        with open(job.path, "rb") as opened:
            data = opened.read()
    except OSError:
        return Reading("", PruneReason.UNREADABLE)
    picture = measure_image(data) if job.is_picture else None
    return Reading(hashlib.sha256(data).hexdigest(), picture)


def measure_image(data: bytes) -> Measurements | PruneReason:
    """Returns the measurements of an encoded JPEG or PNG, or why it cannot be used.

    Pillow checks that the picture is whole, which OpenCV does not; OpenCV gives the gray pixels, which
    are TensorFlow's to the bit. They are measured upright, as EXIF tells.
    """
    if not data:
        return PruneReason.EMPTY_FILE
    kind = picture_format(data)
    if kind and kind.upper() not in _RECOGNISED:
        return PruneReason.UNSUPPORTED_FORMAT
    try:
        with warnings.catch_warnings():
            # Pillow warns of pictures that the limit below turns away.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=_RECOGNISED)
    except Image.UnidentifiedImageError:
        return PruneReason.NOT_AN_IMAGE
    except Image.DecompressionBombError:
        return PruneReason.TOO_LARGE
    except Exception:
        # Hostile headers make Pillow raise most of Python's exceptions.
        return PruneReason.CORRUPT
    # TensorFlow makes no gray of CMYK.
    if picture.format not in _FORMATS or picture.mode == "CMYK":
        return PruneReason.UNSUPPORTED_FORMAT
    if picture.width * picture.height > MAX_IMAGE_PIXELS:
        return PruneReason.TOO_LARGE
    if too_many_scans(data, MAX_IMAGE_PIXELS):
        return PruneReason.TOO_MANY_SCANS
    image_format = _FORMATS[picture.format]
    if _END_MARKERS[image_format] not in data:
        return PruneReason.TRUNCATED
    try:
        picture.load()
    except Exception as error:
        return PruneReason.TRUNCATED if "truncated" in str(error) else PruneReason.CORRUPT
    orientation = orientation_of(picture)
    gray = _gray(data, orientation)
    if gray is None:
        return PruneReason.CORRUPT
    channels = 3 if picture.mode == "P" else len(picture.getbands())
    return measure_pixels(gray)._replace(
        width=gray.shape[1],
        height=gray.shape[0],
        orientation=orientation,
        channels=channels,
        format=image_format,
    )


def decode_upright(data: bytes) -> np.ndarray | None:
    """Returns the gray pixels of a kept picture, uint8 [height, width], upright as EXIF tells.

    None where the bytes are no picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            orientation = orientation_of(Image.open(io.BytesIO(data), formats=_RECOGNISED))
    except Exception:
        return None
    return _gray(data, orientation)


def upright_png(data: bytes, orientation: int) -> bytes:
    """Returns a kept picture as a gray PNG of the pixels that were measured."""
    gray = _gray(data, orientation)
    if gray is None:
        raise ValueError("the picture was decoded before, and cannot be decoded now")
    return cv2.imencode(".png", gray)[1].tobytes()


def _gray(data: bytes, orientation: int) -> np.ndarray | None:
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    gray = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    return None if gray is None else turned(gray, TURN_OF_ORIENTATION[orientation])


def measure_pixels(gray: np.ndarray) -> Measurements:
    """Returns the measurements of gray pixels, uint8 [height, width], without those of the file."""
    height, width = gray.shape
    mean, deviation = cv2.meanStdDev(gray)
    _, laplacian_deviation = cv2.meanStdDev(cv2.Laplacian(gray, cv2.CV_64F))
    shares = np.bincount(gray.ravel(), minlength=256) / gray.size
    shares = shares[shares > 0]
    digest = hashlib.sha256(f"{height}x{width}:".encode())
    digest.update(gray.tobytes())
    return NOT_MEASURED._replace(
        pixel_hash=digest.hexdigest(),
        perceptual_hash=f"{perceptual_hash(gray):016x}",
        brightness=float(mean[0, 0]) / 255,
        contrast=float(deviation[0, 0]) / 255,
        sharpness=float(laplacian_deviation[0, 0]) ** 2,
        entropy=max(0.0, -float(np.dot(shares, np.log2(shares)))),
    )


def perceptual_hash(gray: np.ndarray) -> int:
    """Returns 64 bits that change little where the pixels, uint8 [height, width], change little.

    The signs of the 8 x 8 lowest frequencies of a 32 x 32 discrete cosine transform, against their
    median, as in Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions"
    (2010), section 3.2.1; row and column 0, the means, are left out.
    """
    small = cv2.resize(gray, (_DCT_SIDE, _DCT_SIDE), interpolation=cv2.INTER_AREA)
    frequencies = cv2.dct(small.astype(np.float32))[1 : _HASH_SIDE + 1, 1 : _HASH_SIDE + 1]
    ordered = np.sort(frequencies, axis=None)
    # np.median says the same, at four times the cost of all the rest of this function.
    median = (ordered[31] + ordered[32]) / 2
    return int.from_bytes(np.packbits(frequencies > median).tobytes(), "big")
