import cv2
import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.modules.normalize import equalize, normalize, standardize
from tests.components.pictures import noise


def pixels_of(*images):
    return tf.constant(np.stack(images)[..., None] / np.float32(255))


def test_equalizes_as_opencv_does():
    images = [noise(1), noise(2) // 7 + 40, np.full((48, 48), 99, np.uint8), noise(3) // 200]
    found = np.round(equalize(pixels_of(*images)).numpy()[..., 0] * 255).astype(int)
    expected = [cv2.equalizeHist(image).astype(int) for image in images]
    # OpenCV multiplies by a float32 where this divides; a level may be rounded the other way.
    assert np.abs(found - expected).max() <= 1
    np.testing.assert_array_equal(found[2], 99)


def test_equalizing_twice_changes_nothing_more():
    once = equalize(pixels_of(noise(1) // 3, noise(2)))
    assert np.abs(equalize(once).numpy() - once.numpy()).max() <= 1 / 255 + 1e-6


def test_standardizes_mean_and_deviation_within_the_range():
    smooth = np.add.outer(np.arange(48), np.arange(48)).astype(np.uint8)
    found = standardize(pixels_of(smooth, smooth * 2, np.full((48, 48), 7, np.uint8))).numpy()
    assert found[0].mean() == pytest.approx(0.5, abs=0.01)
    assert found[0].std() == pytest.approx(0.25, abs=0.01)
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    np.testing.assert_allclose(found[2], 0.5, atol=1e-4)


@pytest.mark.parametrize("method", ["none", "equalize", "standardize"])
def test_keeps_shape_and_range_for_any_number_of_pictures(method):
    for count in (0, 1, 3):
        pixels = tf.random.stateless_uniform([count, 48, 48, 1], [1, 2])
        found = normalize(pixels, method)
        assert found.shape == (count, 48, 48, 1)
        assert not count or 0 <= float(tf.reduce_min(found)) <= float(tf.reduce_max(found)) <= 1


def test_names_the_methods_there_are():
    with pytest.raises(ValueError, match="'clahe' is none of the methods: none, equalize"):
        normalize(tf.zeros([1, 48, 48, 1]), "clahe")
