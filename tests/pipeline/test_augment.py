import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.components.class_balancer.translate import translate
from emotion_pipeline.configs import TrainConfig
from emotion_pipeline.modules.augment import _affine, augment, mix

_PIXELS = np.random.default_rng(0).random((8, 48, 48, 1), np.float32)
_ALL = TrainConfig(flip=True, rotation_degrees=5, zoom=0.05, shift_px=3, brightness=0.2)


def run(config, seed=(1, 2)):
    return augment(tf.constant(_PIXELS), config, tf.constant(seed)).numpy()


def test_does_nothing_unless_asked():
    np.testing.assert_array_equal(run(TrainConfig()), _PIXELS)


def test_the_seed_decides():
    np.testing.assert_array_equal(run(_ALL), run(_ALL))
    assert (run(_ALL) != run(_ALL, seed=(1, 3))).any()


def test_stays_in_range():
    changed = run(_ALL)
    assert changed.shape == (8, 48, 48, 1)
    assert changed.min() >= 0.0
    assert changed.max() <= 1.0


def test_flip_mirrors_some_images_exactly():
    flipped = run(TrainConfig(flip=True))
    mirrored = [(a == b[:, ::-1]).all() for a, b in zip(flipped, _PIXELS, strict=True)]
    same = [(a == b).all() for a, b in zip(flipped, _PIXELS, strict=True)]
    assert [a != b for a, b in zip(mirrored, same, strict=True)] == [True] * 8
    assert 0 < sum(mirrored) < 8


@pytest.mark.parametrize(("x_px", "y_px"), [(0, 0), (3, 0), (0, -2), (-4, 1)])
def test_affine_of_a_whole_pixel_shift_is_the_balancers_translation(x_px, y_px):
    count = [len(_PIXELS)]
    moved = _affine(
        tf.constant(_PIXELS),
        angle=tf.zeros(count),
        scale=tf.ones(count),
        shift_x=tf.fill(count, float(x_px)),
        shift_y=tf.fill(count, float(y_px)),
    ).numpy()
    expected = [translate(one, x_px, y_px) for one in _PIXELS]
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_affine_of_a_quarter_turn_is_exact():
    moved = _affine(
        tf.constant(_PIXELS[:1]),
        angle=tf.constant([np.pi / 2], tf.float32),
        scale=tf.ones([1]),
        shift_x=tf.zeros([1]),
        shift_y=tf.zeros([1]),
    ).numpy()
    # The output point (x, y) is read from (47 - y, x): a turn against the clock.
    np.testing.assert_allclose(moved[0], np.rot90(_PIXELS[0], 1), atol=1e-3)


def test_mix_lays_the_same_share_of_one_neighbour_over_image_and_label():
    labels = np.eye(8, dtype=np.float32)
    pixels, mixed = (part.numpy() for part in mix(_PIXELS, labels, 0.4, tf.constant([1, 2])))
    assert mixed.argmax(axis=1).tolist() == list(range(8)), "the image's own class stays the first"
    own = mixed.max(axis=1)
    assert own.min() < 0.9
    np.testing.assert_allclose(mixed.sum(axis=1), 1, rtol=1e-6)
    for number, share in enumerate(own):
        assert mixed[number, number - 1] == pytest.approx(1 - share, abs=1e-6)
        expected = share * _PIXELS[number] + (1 - share) * _PIXELS[number - 1]
        np.testing.assert_allclose(pixels[number], expected, atol=1e-6)


def test_mix_is_of_the_larger_share_of_a_beta_distribution():
    count, alpha = 4000, 0.5
    labels = tf.one_hot(np.arange(count) % 7, 7)
    _, mixed = mix(tf.zeros([count, 2, 2, 1]), labels, alpha, tf.constant([1, 2]))
    drawn = np.random.default_rng(0).beta(alpha, alpha, count)
    expected = np.maximum(drawn, 1 - drawn)
    quartiles = [25, 50, 75]
    np.testing.assert_allclose(
        np.percentile(mixed.numpy().max(axis=1), quartiles),
        np.percentile(expected, quartiles),
        atol=0.02,
    )


def test_mix_of_hardly_any_alpha_changes_nothing_and_stays_finite():
    labels = np.eye(8, dtype=np.float32)
    pixels, mixed = mix(_PIXELS, labels, 1e-4, tf.constant([1, 2]))
    np.testing.assert_allclose(pixels, _PIXELS)
    np.testing.assert_allclose(mixed, labels)
