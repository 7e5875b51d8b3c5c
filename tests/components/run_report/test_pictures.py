import base64

import cv2
import numpy as np
import pandas as pd
import pytest

from emotion_pipeline.components import features
from emotion_pipeline.components.examples.example_proto import make_example
from emotion_pipeline.components.run_report.pictures import (
    data_uri,
    find_translated_copies,
    read_picture,
    sample_rows,
)
from tests.components.example_artifacts import write_examples
from tests.components.pictures import encode, noise, write_picture


def decode(uri: str) -> np.ndarray:
    head, data = uri.split(",")
    assert head == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_small_picture_keeps_its_pixels():
    gray = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (48, 1))
    shown = decode(data_uri(encode(gray, ".png")))
    assert shown.shape == (48, 48)
    assert np.abs(shown.astype(int) - gray).max() <= 8


@pytest.mark.parametrize(
    ("shape", "expected"), [((300, 200), (72, 48)), ((1000, 2), (72, 1)), ((1, 5000), (1, 72))]
)
def test_a_large_picture_is_shrunk(shape, expected):
    assert decode(data_uri(encode(np.zeros(shape, np.uint8), ".png"))).shape == expected


@pytest.mark.parametrize("data", [b"", b"no picture", encode(noise(1))[:40]])
def test_what_is_no_picture_is_told_by_an_empty_uri(data):
    assert data_uri(data) == ""


def test_a_file_that_is_gone_is_told_by_an_empty_uri(tmp_path):
    write_picture(tmp_path / "here.jpg", 1)
    assert read_picture(tmp_path, "here.jpg", "train, happy").uri
    gone = read_picture(tmp_path, "gone.jpg", "train, happy")
    assert (gone.uri, gone.name, gone.caption) == ("", "gone.jpg", "train, happy")


def test_samples_are_the_rows_with_the_smallest_hashes():
    rows = pd.DataFrame({"path": list("abcd"), "content_hash": ["3", "1", "2", "1"]})
    assert list(sample_rows(rows, 3)["path"]) == ["b", "d", "c"]
    assert list(sample_rows(rows, 9)["path"]) == ["b", "d", "c", "a"]


def record(path: str, label: str, index: int, x_px: int, y_px: int) -> bytes:
    return make_example(
        {
            features.PATH_KEY: path,
            features.LABEL_KEY: label,
            features.IMAGE_KEY: encode(noise(index)),
            features.COPY_INDEX_KEY: index,
            features.SHIFT_X_KEY: x_px,
            features.SHIFT_Y_KEY: y_px,
        }
    )


def test_copies_stand_beside_their_source_in_their_order(tmp_path):
    records = [
        record("sad/1.jpg", "sad", 2, 0, 4),
        record("happy/1.jpg", "happy", 0, 0, 0),
        record("sad/1.jpg", "sad", 0, 0, 0),
        record("sad/2.jpg", "sad", 1, 9, 9),
        record("sad/1.jpg", "sad", 3, 1, 1),
        record("sad/1.jpg", "sad", 1, -3, 2),
    ]
    write_examples(tmp_path, {"train": records}, shards=2)
    # happy/1.jpg has no copies, and gone.jpg is not there.
    wanted = ["sad/1.jpg", "happy/1.jpg", "gone.jpg"]
    (found,) = find_translated_copies(str(tmp_path / "Split-train" / "*"), wanted, max_copies=2)
    assert (found.label, found.source.name) == ("sad", "sad/1.jpg")
    assert found.source.uri == data_uri(encode(noise(0)))
    assert [one.caption for one in found.copies] == ["-3, +2 px", "+0, +4 px"]
    assert [one.uri for one in found.copies] == [data_uri(encode(noise(n))) for n in (1, 2)]
