import cv2
import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.components.class_balancer.translate import (
    mark_copy,
    translate,
    translated_copies,
)
from tests.components.example_artifacts import example, values
from tests.components.pictures import encode, noise

_PIXELS = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.uint8)


@pytest.mark.parametrize(
    ("x_px", "y_px", "expected"),
    [
        (0, 0, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        (1, 0, [[1, 1, 2], [4, 4, 5], [7, 7, 8]]),
        (-1, 0, [[2, 3, 3], [5, 6, 6], [8, 9, 9]]),
        (0, 1, [[1, 2, 3], [1, 2, 3], [4, 5, 6]]),
        (-1, -2, [[8, 9, 9], [8, 9, 9], [8, 9, 9]]),
        (9, -9, [[7, 7, 7], [7, 7, 7], [7, 7, 7]]),
    ],
)
def test_translate(x_px, y_px, expected):
    moved = translate(_PIXELS, x_px, y_px)
    np.testing.assert_array_equal(moved, expected)
    assert moved.dtype == np.uint8


def test_translate_keeps_channels_together():
    colour = np.stack([_PIXELS, _PIXELS + 10], axis=2)
    np.testing.assert_array_equal(translate(colour, 1, 0)[0], [[1, 11], [1, 11], [2, 12]])


def test_copies_hold_the_moved_pixels_and_where_they_came_from():
    jpeg = encode(noise(1))
    source = tf.train.Example.FromString(example("sad", "sad/é.jpg", jpeg))
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED)
    copies = [values(copy) for copy in translated_copies(source, [(1, -2), (-3, 0)])]
    for copy, shift in zip(copies, [(1, -2), (-3, 0)], strict=True):
        decoded = cv2.imdecode(np.frombuffer(copy["image"], np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(decoded, translate(pixels, *shift))
        assert (copy["shift_x_px"], copy["shift_y_px"]) == shift
        assert copy["size_bytes"] == len(copy["image"])
        assert (copy["label"], copy["path"]) == (b"sad", "sad/é.jpg".encode())
    assert [copy["copy_index"] for copy in copies] == [1, 2]


def test_original_keeps_its_bytes():
    jpeg = encode(noise(1))
    marked = values(mark_copy(tf.train.Example.FromString(example("sad", "1.jpg", jpeg)), 0, 0, 0))
    assert marked["image"] == jpeg
    assert (marked["copy_index"], marked["shift_x_px"], marked["shift_y_px"]) == (0, 0, 0)


def test_names_the_picture_that_cannot_be_decoded():
    source = tf.train.Example.FromString(example("sad", "sad/broken.jpg", b"no picture"))
    with pytest.raises(ValueError, match=r"^sad/broken\.jpg: the image of this Example cannot be"):
        translated_copies(source, [(1, 0)])


def test_a_picture_of_another_size_is_moved_by_the_same_share():
    source = tf.train.Example.FromString(example("sad", "1.png", encode(noise(1, 96), ".png")))
    [copy] = translated_copies(source, [(3, -1)])
    decoded = cv2.imdecode(np.frombuffer(values(copy)["image"], np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded, translate(noise(1, 96), 6, -2))
    assert (values(copy)["shift_x_px"], values(copy)["shift_y_px"]) == (3, -1)


def test_copies_carry_the_votes():
    source = tf.train.Example.FromString(example("sad", "sad/1.jpg", encode(noise(1))))
    source.features.feature["votes"].float_list.value[:] = [1, 0, 9]
    source.features.feature["votes_other"].float_list.value[:] = [2]
    for copy in translated_copies(source, [(1, -2), (-3, 0)]):
        feature = tf.train.Example.FromString(copy).features.feature
        assert list(feature["votes"].float_list.value) == [1, 0, 9]
        assert list(feature["votes_other"].float_list.value) == [2]
