import cv2
import numpy as np
import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources.pixel_table import is_pixel_table, unpack_table


def write(tmp_path, text):
    path = tmp_path / "fer2013.csv"
    path.write_text(text, encoding="utf-8")
    return path


def unpack(tmp_path, text):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    unpack_table(write(tmp_path, text), folder)
    return {
        path.relative_to(folder).as_posix(): cv2.imread(str(path), cv2.IMREAD_UNCHANGED).tolist()
        for path in folder.rglob("*.png")
    }


@pytest.mark.parametrize("header", ["emotion,pixels,Usage", "\ufeffEmotion, pixels , Usage"])
def test_writes_the_pixels_as_they_are(tmp_path, header):
    rows = ["0,0 1 2 3,Training", "6,255 254 0 1,PublicTest", "3,1 1 1 1,PrivateTest", ""]
    assert unpack(tmp_path, "\n".join([header, *rows])) == {
        "train/angry/000001.png": [[0, 1], [2, 3]],
        "validation/neutral/000002.png": [[255, 254], [0, 1]],
        "test/happy/000003.png": [[1, 1], [1, 1]],
    }


def test_columns_may_stand_in_another_order_and_be_more(tmp_path):
    text = "id,Usage,pixels,label\nx,train,7,joy\ny,val,8,joy\n"
    assert unpack(tmp_path, text) == {
        "train/joy/000001.png": [[7]],
        "val/joy/000002.png": [[8]],
    }


@pytest.mark.parametrize("text", ["emotion,pixels\n1,5\n", "emotion,pixels,Usage\n1,5,Training\n"])
def test_rows_of_one_split_are_class_folders(tmp_path, text):
    assert unpack(tmp_path, text) == {"disgust/000001.png": [[5]]}


def test_a_large_picture_is_a_long_field(tmp_path):
    side = 300
    pixels = np.arange(side * side) % 256
    text = "emotion,pixels\n2," + " ".join(map(str, pixels))
    assert unpack(tmp_path, text)["fear/000001.png"] == pixels.reshape(side, side).tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has the columns a, b; expected emotion and pixels"),
        ("emotion,pixels\n1,1 2 3\n", r"line 2: pixels '1 2 3'... \(3 values\)"),
        ("emotion,pixels\n1,256\n", "line 2: pixels '256'"),
        ("emotion,pixels\n1,\n", "line 2: pixels ''"),
        ("emotion,pixels\n1,x\n", "line 2: pixels 'x'"),
        ("emotion,pixels\n1,0 1 300 3\n", r"\(4 values, number 3 is '300'\); expected the gray"),
        ("emotion,pixels\n1,0 1 2 -3\n", r"\(4 values, number 4 is '-3'\)"),
        ("emotion,pixels,Usage\n", "has a header and no row below it"),
        ("", "is empty; expected emotion and pixels"),
        ("emotion,pixels,Emotion\n1,5,2\n", "has 2 columns named 'emotion'; which one counts"),
        ("emotion,pixels,pixels\n1,5,2\n", "has 2 columns named 'pixels'"),
        ("emotion,pixels\n0,5\n7,5\n", "line 3: emotion '7'"),
        ("emotion,pixels\n../../x,5\n", "line 2: emotion '../../x'"),
        ("emotion,pixels\n..,5\n", "line 2: emotion '..'"),
        ("emotion,pixels\n-1,5\n", "line 2: emotion '-1'; expected a class's name, or 0 to 6"),
        ("emotion,pixels\n3.0,5\n", "line 2: emotion '3.0'; expected"),
        ("emotion,pixels\nnan,5\n", "line 2: emotion 'nan'; expected"),
        ("emotion,pixels\n\u00b2,5\n", "line 2: emotion '\u00b2'; expected"),
        ('emotion,pixels\n"sad\n",5\n"a\nb",5\n', r"line 5: emotion 'a\\nb'; expected"),
        (f"emotion,pixels\n{'x' * 256},5\n", r"line 2: emotion 'x{20}'\.\.\.; expected"),
        (
            "emotion;pixels\n1;5\n",
            "has the columns emotion;pixels; expected .* with commas between",
        ),
        (
            "emotion,pixels,Usage\n1,5,PublicTest\n1,5,PrivateTest\n",
            "names test and validation, and no",
        ),
        ("pixels,emotion\n5\n", "line 2: 1 columns, fewer than the header names"),
        ("emotion,pixels,Usage\n1,5,Later\n", "line 2: Usage 'Later'; expected Training"),
    ],
)
def test_names_the_line_that_is_wrong(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as caught:
        unpack(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "fer2013.csv"))


def test_a_table_without_a_header_is_told_in_a_short_line(tmp_path):
    with pytest.raises(UserError, match=r"has the columns 0, 70 70 .*; expected emotion") as caught:
        unpack(tmp_path, "0," + "70 " * 2304 + ",Training\n")
    assert len(str(caught.value)) < len(str(tmp_path)) + 250


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_a_table_in_utf_16_is_named_as_that(tmp_path, encoding):
    path = tmp_path / "fer2013.csv"
    path.write_text("emotion,pixels\n1,5\n", encoding=encoding)
    with pytest.raises(UserError, match=r"looks like UTF-16\. Save it as UTF-8"):
        unpack_table(path, tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b"caf\xe9,5", "cannot be read as CSV .*codec can't decode"),
        (b"sad,5 \x00", "cannot be read as CSV|line 2: pixels"),
    ],
)
def test_a_row_of_other_bytes_is_not_blamed_on_the_header(tmp_path, row, message):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(b"emotion,pixels\n" + row + b"\n")
    with pytest.raises(UserError, match=message):
        unpack_table(path, tmp_path)


def test_knows_a_table_by_its_header(tmp_path):
    assert is_pixel_table(write(tmp_path, " Emotion ,PIXELS\n"))
    assert not is_pixel_table(write(tmp_path, "path,label\n"))
    (tmp_path / "fer2013.csv").write_bytes(b"\xff\xfe\x00emotion,pixels")
    assert not is_pixel_table(tmp_path / "fer2013.csv")
