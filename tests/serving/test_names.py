import os

import pytest

from emotion_faces.names import printable


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (b"a b.jpg", "a b.jpg"),
        ("glück 😀 日本\u200c.jpg".encode(), "glück 😀 日本\u200c.jpg"),
        (b"a\xff.jpg", r"a\xff.jpg"),
        (b"two\nlines\r.jpg", r"two\nlines\r.jpg"),
        (b"\x1b[31mred\x7f.jpg", r"\x1b[31mred\x7f.jpg"),
        ("\u202egpj.exe\u2028\x9b".encode(), r"\u202egpj.exe\u2028\x9b"),
    ],
)
def test_a_name_is_one_line_and_nothing_that_a_terminal_acts_on(name, told):
    assert printable(os.fsdecode(name)) == told
