import cv2
import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.modules.transform_module import (
    decode_any_size,
    decode_image,
    preprocessing_fn,
)
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
    pixels = decode_any_size(tf.constant([white]))
    assert pixels.dtype == tf.float32
    np.testing.assert_array_equal(pixels, np.ones((1, 48, 48, 1)))


def test_an_empty_batch_is_an_empty_batch():
    assert decode_any_size(tf.constant([], tf.string)).shape == (0, 48, 48, 1)


@pytest.mark.parametrize("shape", [(100, 100), (224, 224, 3), (48, 49), (20, 31, 3), (1, 1)])
def test_brings_other_sizes_to_the_networks_in_whole_levels(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    encoded = encode(picture, ".png")
    gray = decode_image(encoded)
    pixels = decode_any_size(tf.constant([encoded, encode(noise(1), ".png")]))
    assert pixels.shape == (2, 48, 48, 1)
    resized = tf.image.resize(gray, (48, 48), antialias=True)
    np.testing.assert_allclose(pixels[0], resized, atol=0.5 / 255 + 1e-6)
    # As bytes and back, which is how training holds them, nothing changes.
    np.testing.assert_array_equal(as_bytes(pixels).astype(np.float32) / 255, pixels)
    np.testing.assert_array_equal(as_bytes(pixels[1])[..., 0], noise(1))


def test_refuses_what_is_no_image():
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_any_size(tf.constant([b"no picture"]))


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
