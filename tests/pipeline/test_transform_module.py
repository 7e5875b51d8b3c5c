import cv2
import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.modules.transform_module import decode_image, decode_images, preprocessing_fn
from tests.components.pictures import encode, noise


def as_bytes(pixels):
    return np.round(pixels.numpy() * 255).astype(np.uint8)


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_decodes_what_opencv_decodes_to_the_bit(extension):
    for seed in range(20):
        encoded = encode(noise(seed), extension)
        expected = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(as_bytes(decode_image(encoded))[..., 0], expected)


def test_scales_to_one():
    white = encode(np.full((48, 48), 255, np.uint8), ".png")
    pixels = decode_images(tf.constant([white]))
    assert pixels.dtype == tf.float32
    np.testing.assert_array_equal(pixels, np.ones((1, 48, 48, 1)))


def test_an_empty_batch_is_an_empty_batch():
    assert decode_images(tf.constant([], tf.string)).shape == (0, 48, 48, 1)


def test_refuses_another_size():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[48,49,1\].*\[48,48,1\]"):
        decode_images(tf.constant([encode(np.zeros((48, 49), np.uint8), ".png")]))


def test_refuses_what_is_no_image():
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_images(tf.constant([b"no picture"]))


def test_labels_become_indices_and_unknown_ones_minus_one():
    image = encode(noise(1))
    outputs = preprocessing_fn(
        {
            "image": tf.constant([[image]] * 3),
            "label": tf.constant([["sad"], ["happy"], ["bored"]]),
        },
        {"labels": ["happy", "sad"]},
    )
    assert set(outputs) == {"image_xf", "label_xf"}
    assert outputs["image_xf"].shape == (3, 48, 48, 1)
    assert outputs["label_xf"].dtype == tf.int64
    assert outputs["label_xf"].numpy().tolist() == [[1], [0], [-1]]
