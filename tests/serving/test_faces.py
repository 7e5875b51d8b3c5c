from __future__ import annotations

import dataclasses
import io
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from emotion_faces.errors import UserError
from emotion_faces.faces import crop, detector, pictures
from emotion_faces.faces.detector import FaceBox
from emotion_faces.onnx_session import open_session
from tests.hostile_pictures import jpeg_of_scans


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def test_decode_places_a_box_by_its_cell_offset_and_size():
    heatmap = np.zeros((8, 8), np.float32)
    heatmap[2, 5] = 0.9
    log_size = np.zeros((2, 8, 8), np.float32)
    log_size[:, 2, 5] = np.log([3, 2])  # 12 px high, 8 px wide
    offset = np.zeros((2, 8, 8), np.float32)
    offset[:, 2, 5] = 0.25, -0.25
    points = np.zeros((10, 8, 8), np.float32)
    points[:, 2, 5] = (0.25, 0.0, 0.5, 1.0, *[0.5] * 6)  # y and x in shares of the box, in turn
    boxes, scores, landmarks = detector.decode([heatmap, log_size, offset, points], 0.5)
    # Centre: x = (5 - 0.25 + 0.5) * 4 = 21, y = (2 + 0.25 + 0.5) * 4 = 11.
    np.testing.assert_allclose(boxes, [[17, 5, 25, 17]], rtol=1e-6)
    np.testing.assert_allclose(scores, [0.9])
    assert landmarks.shape == (1, 5, 2)
    np.testing.assert_allclose(landmarks[0, :3], [[17, 8], [25, 11], [21, 11]], rtol=1e-6)


def test_of_boxes_that_overlap_the_likeliest_is_kept():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], float)
    landmarks = np.arange(30.0).reshape(3, 5, 2)
    kept = detector.suppress_overlaps(boxes, np.array([0.6, 0.9, 0.7]), landmarks)
    assert [dataclasses.replace(box, landmarks=()) for box in kept] == [
        FaceBox(1, 0, 10, 10, 0.9),
        FaceBox(30, 0, 10, 10, 0.7),
    ]
    assert [box.landmarks[0] for box in kept] == [(10, 11), (20, 21)]


def test_the_astronaut_is_found_where_she_is(astronaut):
    [face] = detector.CenterFace()(astronaut)
    assert abs(face.left + face.width / 2 - 224) < 10
    assert abs(face.top + face.height / 2 - 117) < 15
    assert 70 < face.width < 110
    for found, seen in zip(
        face.landmarks, [(203, 102), (247, 105), (225, 124), (205, 142), (243, 144)], strict=True
    ):
        assert np.hypot(found[0] - seen[0], found[1] - seen[1]) < 8


def test_the_network_answers_at_any_size_as_opencv_runs_it(astronaut):
    session = open_session(str(detector.WEIGHTS))
    for picture in (astronaut, astronaut[:320, 128:480]):
        pixels = cv2.dnn.blobFromImage(np.ascontiguousarray(picture))
        net = cv2.dnn.readNetFromONNX(str(detector.WEIGHTS))
        net.setInput(pixels)
        found = session.run(detector.OUTPUTS, {detector.INPUT: pixels})
        for mine, theirs in zip(found, net.forward(detector.OUTPUTS), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-3)


def test_answers_do_not_depend_on_what_was_asked_before(astronaut):
    fresh = detector.CenterFace()(astronaut)
    used = detector.CenterFace()
    used(np.ascontiguousarray(astronaut[:300]))
    used(np.ascontiguousarray(astronaut[:, :200]))
    assert used(astronaut) == fresh


def test_small_faces_are_left_out_when_asked(astronaut):
    assert detector.CenterFace(min_face_px=200)(astronaut) == []


def test_one_pixel_and_no_faces():
    assert detector.CenterFace()(np.zeros((1, 1, 3), np.uint8)) == []


def test_square_is_1_14_of_the_boxs_mean_side_about_its_centre():
    assert crop.square_around(FaceBox(100, 100, 80, 125)) == (83, 106, 114)


def test_crop_at_the_edge_goes_on_with_the_edges_pixels():
    image = np.full((50, 50, 3), 200, np.uint8)
    pixels = crop.crop_faces(image, [FaceBox(-10, -10, 40, 40), FaceBox(30, 30, 40, 40)])
    assert pixels.shape == (2, 48, 48, 1)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, 200 / 255, atol=1e-6)


def test_no_boxes_give_no_crops():
    assert crop.crop_faces(np.zeros((9, 9, 3), np.uint8), []).shape == (0, 48, 48, 1)


def test_picture_is_turned_as_exif_tells():
    image = np.zeros((4, 6, 3), np.uint8)
    image[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned a quarter clockwise
    upright = pictures.decode_picture(encoded(image, exif=exif))
    assert upright.shape == (6, 4, 3)
    assert upright[0, 3].tolist() == [255, 255, 255]


def test_gray_transparent_and_deep_pictures_become_rgb():
    assert pictures.decode_picture(encoded(np.full((2, 3), 9, np.uint8))).tolist()[0][0] == [9] * 3
    clear = np.zeros((2, 3, 4), np.uint8)
    assert pictures.decode_picture(encoded(clear))[0, 0].tolist() == [255, 255, 255]
    deep = np.array([[0, 65535]], np.uint16)
    assert pictures.decode_picture(encoded(deep))[0].tolist() == [[0] * 3, [255] * 3]


def png(**options) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (6, 4), (200, 10, 10)).save(file, "PNG", **options)
    return file.getvalue()


def text(keyword: str, content: str) -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    texts.add_text(keyword, content, zip=True)
    return texts


@pytest.mark.parametrize(
    "large",
    [
        {"pnginfo": text("workflow", "é" * 3_000_000)},
        {"icc_profile": bytes(3_000_000)},
    ],
    ids=["zTXt", "iCCP"],
)
def test_a_large_text_or_profile_costs_no_picture(large):
    with pytest.raises(ValueError, match="too large"):
        Image.open(io.BytesIO(png(**large))).load()
    assert (pictures.decode_picture(png(**large)) == pictures.decode_picture(png())).all()


def test_a_text_that_tells_which_side_is_up_is_read():
    # As ImageMagick keeps EXIF: a count, and hexadecimal in lines.
    exif = Image.Exif()
    exif[0x0112] = 6
    data = exif.tobytes()
    profile = f"\nexif\n{len(data):8}\n{data.hex()}\n"
    turned = pictures.decode_picture(png(pnginfo=text("Raw profile type exif", profile)))
    assert turned.shape == (6, 4, 3)


@pytest.mark.parametrize("cut", [9, 30, 45, 60])
def test_a_png_that_is_cut_off_is_named(cut):
    with pytest.raises(UserError, match="damaged or cut off"):
        pictures.decode_picture(png(pnginfo=text("workflow", "x"))[:cut])


def test_a_deep_picture_costs_no_more_than_another():
    """A PNG of some hundred kilobytes takes 20 bytes a pixel if it is converted as a whole."""
    program = (
        "import resource, sys\n"
        "from emotion_faces.faces.pictures import decode_picture\n"
        "from tests.hostile_pictures import png_of_16_bits\n"
        "data = png_of_16_bits(6000)\n"
        "decode_picture(png_of_16_bits(8))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "decode_picture(data)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 6000**2)\n"
    )
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(orientation):
    upright = np.kron(np.array([[0, 85], [170, 255]], np.uint8), np.ones((8, 12), np.uint8))
    stored = {
        **{1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1]},
        **{5: upright.T, 6: np.rot90(upright), 7: upright.T[::-1, ::-1], 8: np.rot90(upright, -1)},
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(np.ascontiguousarray(stored), exif=exif)
    np.testing.assert_array_equal(pictures.decode_picture(data)[:, :, 0], upright)


def test_pictures_of_phones_are_read(cases_dir):
    same = [
        pictures.decode_picture((cases_dir / "pictures" / name).read_bytes())
        for name in ("img.jfif", "cmyk.jpg", "bmp24.bmp", "still.gif", "lossy.webp", "photo.heic", "exif6.jpg")
    ]  # fmt: skip
    for image in same:
        assert image.shape == (320, 320, 3)
        assert np.abs(image.astype(int) - same[0]).mean() < 6


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (jpeg_of_scans(101), "a JPEG of more than 100 scans"),
        (b"\xff\x0a" + bytes(30), "is a JPEG XL picture, which can't be read"),
        (b"", r"is empty \(0 bytes\)"),
        (b"These are words.", "is not a picture that can be read"),
        (encoded(np.zeros((90, 90, 3), np.uint8), "JPEG")[:300], "is damaged or cut off"),
        (encoded(np.zeros((8001, 8001), np.uint8), compress_level=9), "8001 x 8001 pixels"),
    ],
)
def test_what_is_no_fit_picture_is_named(data, words):
    with pytest.raises(UserError, match=words):
        pictures.decode_picture(data, "holiday.jpg")


def test_what_is_wrong_is_told_without_an_object_in_memory():
    header = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x0dIHDR" + b"\0" * 13
    with pytest.raises(UserError, match=r"^a\.png is damaged or cut off[^<]*$"):
        pictures.decode_picture(header, "a.png")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_refused(value):
    """They would be answered with an emotion."""
    pixels = np.full((30, 30), 0.5, np.float32)
    pixels[3, 4] = value
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "TIFF")
    with pytest.raises(UserError, match="some of its pixels are no numbers"):
        pictures.decode_picture(buffer.getvalue())


def test_a_tiff_of_more_than_4_gib_is_one_too():
    data = encoded(np.full((30, 30), 9, np.uint8), "TIFF", big_tiff=True)
    assert data.startswith(b"II+\0")
    assert (pictures.decode_picture(data) == 9).all()


@pytest.mark.parametrize(("kind", "told"), [("GIF", True), ("TIFF", True), ("MPO", False)])
def test_of_several_pictures_the_first_is_read_and_that_is_told(kind, told):
    several = [np.full((30, 30), level, np.uint8) for level in (60, 160, 200)]
    others = [Image.fromarray(one) for one in several[1:]]
    data = encoded(several[0], kind, save_all=True, append_images=others)
    words = []
    pixels = pictures.decode_picture(data, "a.gif", words.append)
    assert abs(pixels.astype(int) - 60).max() <= 2
    assert words == (["a.gif holds several pictures: the first alone is read"] if told else [])
