import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from emotion_faces.model_server import image_guard, status
from emotion_faces.protos import example_pb2
from tests.hostile_pictures import jpeg_of_scans

LIMITS = image_guard.ImageLimits(max_bytes=100_000, max_pixels=10_000)


def encode(suffix, height=30, width=40, channels=3):
    return cv2.imencode(suffix, np.zeros((height, width, channels), np.uint8))[1].tobytes()


def make_gif(screen, frames):
    """A GIF's blocks: its screen, and frames of a size each, with no real pixels in them."""
    data = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + bytes(6)
    for width, height in frames:
        data += b"\x21\xf9\x04" + bytes(4) + b"\x00"
        data += b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x01\x00\x00"
    return data + b"\x3b"


def cmyk():
    buffer = io.BytesIO()
    Image.new("CMYK", (40, 30)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_pixels_by_header(suffix):
    assert image_guard.decoded_pixels(encode(suffix)) == 1200


def test_progressive_jpeg():
    image = np.zeros((30, 40, 1), np.uint8)
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert image_guard.decoded_pixels(data) == 1200


def test_gif_frames_add_up():
    assert image_guard.decoded_pixels(make_gif((4, 5), [(100, 10), (3, 2)])) == 20 + 1000 + 6


@pytest.mark.parametrize(
    "data", [b"", b"text", b"\xff\xd8\xff", b"\xff\xd8\xff\xff\xff", b"GIF89a", b"BM"]
)
def test_no_image(data):
    assert image_guard.decoded_pixels(data) is None


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", r"image_bytes\[1\] is empty"),
        (b"text", r"image_bytes\[1\] is not a JPEG"),
        (encode(".bmp"), r"image_bytes\[1\] is BMP, not a JPEG or PNG image: convert it"),
        (make_gif((4, 5), [(4, 5)]), r"image_bytes\[1\] is GIF, not"),
        (b"\x00\x00\x00\x1cftypheic" + bytes(20), r"image_bytes\[1\] is HEIC, not"),
        (cmyk(), "a JPEG of 4 colour components"),
        (jpeg_of_scans(101), "a JPEG of more than 100 scans"),
        (jpeg_of_scans(60), "a JPEG of 60 scans of 64 x 64 pixels"),
        (encode(".png", 101, 100), r"image_bytes\[1\]: an image of 10100 pixels"),
        (encode(".png") + bytes(100_000), "the limit is 100000"),
        (make_gif((4, 5), [(200, 200)]), "an image of 40020 pixels"),
    ],
)
def test_refused(image, message):
    with pytest.raises(status.StatusError, match=message):
        image_guard.check_images([encode(".jpg"), image], LIMITS, "image_bytes")


def test_images_in_examples_are_found():
    example = example_pb2.Example()
    example.features.feature["image"].bytes_list.value.append(encode(".png", 200, 200))
    with pytest.raises(status.StatusError, match=r"inputs\[1\]: an image of 40000 pixels"):
        image_guard.check_strings([b"text", example.SerializeToString()], LIMITS, "inputs")
