"""What a file is, by its content; and what its bytes say before it is decoded."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from emotion_faces import picture_bytes
from emotion_faces.annotate import inputs
from emotion_faces.file_kind import FileKind, kind_of_file
from tests.hostile_pictures import jpeg_of_scans
from tests.serving import films


def encoded(kind, mode="RGB", **options):
    buffer = io.BytesIO()
    Image.new(mode, (40, 30)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "BMP", "TIFF", "GIF", "AVIF"])
def test_the_content_tells_a_picture_whatever_its_name(tmp_path, kind):
    data = encoded(kind.upper())
    assert picture_bytes.picture_format(data[:32]) == kind
    for name in ("photo", "photo.mp4", "photo.jfif"):
        (tmp_path / name).write_bytes(data)
        assert kind_of_file(tmp_path / name) is FileKind.PICTURE


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00avifmiaf", "AVIF"),
        (b"\x00\x00\x00\x1cftypisom\x00\x00\x02\x00isomiso2", ""),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\xff\xd8\xff\xf7\x00\x0b", "JPEG-LS"),
        (b"MM\x00+\x00\x08", "TIFF"),
        (b"words", ""),
        (b"", ""),
    ],
)
def test_formats_by_their_first_bytes(head, name):
    assert picture_bytes.picture_format(head) == name


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts", ".flv", ".mpg"])
def test_the_content_tells_a_film_whatever_its_name(tmp_path, suffix):
    film = tmp_path / f"film{suffix}"
    codec = "mpeg2video" if suffix == ".mpg" else "mpeg4" if suffix == ".avi" else "libx264"
    films.write_film(film, [np.zeros((48, 64, 3), np.uint8)] * 5, 25, codec=codec)
    film.rename(tmp_path / "photo.jpg")
    assert kind_of_file(tmp_path / "photo.jpg") is FileKind.FILM


def test_the_suffix_tells_where_the_content_does_not(tmp_path):
    kinds = {}
    for name in ("a.JPG", "a.heic", "a.mov", "a.txt", "a"):
        (tmp_path / name).write_bytes(b"damaged")
        kinds[name] = kind_of_file(tmp_path / name).value
    assert kinds == {
        **{"a.JPG": "picture", "a.heic": "picture", "a.mov": "film"},
        **{"a.txt": "other", "a": "other"},
    }


def test_a_jpeg_stays_one_under_any_name(tmp_path):
    for name in ("a.jfif", "b", "c.jpg"):
        (tmp_path / name).write_bytes(encoded("JPEG"))
    (tmp_path / "d.webp").write_bytes(encoded("WEBP"))
    files, ignored = inputs.collect([tmp_path], tmp_path / "out")
    assert ignored == 0
    assert [file.target.name for file in files] == ["a.jfif.jpg", "b.jpg", "c.jpg", "d.webp.png"]


def test_a_jpegs_header_is_read_without_what_is_nested_in_it():
    exif = b"Exif\x00\x00" + encoded("JPEG")  # a thumbnail, as cameras write it
    header = picture_bytes.jpeg_header(encoded("JPEG", exif=exif))
    assert header == (40, 30, 3, 1)
    assert picture_bytes.jpeg_header(encoded("JPEG", "CMYK")).components == 4
    assert picture_bytes.jpeg_header(encoded("JPEG", "L", progressive=True)).scans > 1


@pytest.mark.parametrize(("scans", "max_pixels", "refused"), [
    (100, 64 * 64 * 100, False),
    (101, 64 * 64 * 100, True),
    (16, 64 * 64, False),
    (17, 64 * 64, True),
])  # fmt: skip
def test_scans_are_bounded_by_number_and_by_work(scans, max_pixels, refused):
    data = jpeg_of_scans(scans)
    assert picture_bytes.jpeg_header(data).scans == scans
    assert bool(picture_bytes.too_many_scans(data, max_pixels)) == refused


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff" + b"\xff\x00" * 4_000_000,
        b"\xff\xd8" + b"\xff\xfe\x00\x02" * 4_000_000,
        b"\xff\xd8" + b"\xff\xda\x00\x02" * 4_000_000,
        b"\xff\xd8" + b"\xff" * 8_000_000,
    ],
    ids=["stuffed", "segments", "scans", "filled"],
)
def test_hostile_headers_cost_little(data):
    start = time.process_time()
    picture_bytes.jpeg_header(data)
    picture_bytes.too_many_scans(data, 1_000_000)
    assert time.process_time() - start < 2


def test_the_pictures_that_failed_once(cases_dir):
    kinds = {
        path.name: picture_bytes.picture_format(path.read_bytes())
        for path in (cases_dir / "pictures").iterdir()
    }
    assert kinds == {
        **{"bmp24.bmp": "BMP", "cmyk.jpg": "JPEG", "exif6.jpg": "JPEG", "img.jfif": "JPEG"},
        **{"lossy.webp": "WebP", "photo.heic": "HEIC", "still.gif": "GIF"},
        "prog_1024_50.jpg": "JPEG",
    }
