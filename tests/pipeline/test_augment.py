import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.components.class_balancer.translate import translate
from emotion_pipeline.modules.augment import _affine, augment, compressed, enlarged, mix
from emotion_pipeline.train_config import TrainConfig

_PIXELS = np.random.default_rng(0).random((8, 48, 48, 1), np.float32)
_ALL = TrainConfig(
    flip=True,
    rotation_degrees=5,
    zoom=0.05,
    shift_px=3,
    brightness=0.2,
    gamma=1.0,
    contrast=0.5,
    equalize_share=0.3,
    blur_share=0.5,
    jpeg_share=0.5,
    erase_share=0.5,
)


def run(config, seed=(1, 2)):
    return augment(tf.constant(_PIXELS), config, tf.constant(seed)).numpy()


def test_does_nothing_unless_asked():
    np.testing.assert_array_equal(run(TrainConfig()), _PIXELS)


def test_the_seed_decides():
    np.testing.assert_array_equal(run(_ALL), run(_ALL))
    assert (run(_ALL) != run(_ALL, seed=(1, 3))).any()


@pytest.mark.parametrize(
    "limits",
    [
        {
            "blur_min_px": 4,
            "jpeg_min_quality": 1,
            "gamma": 3,
            "contrast": 0.999,
            "brightness": 0.999,
        },
        {"blur_min_px": 47, "jpeg_min_quality": 100, "zoom": 0.999, "rotation_degrees": 720},
    ],
)
def test_the_limits_of_the_settings_stay_in_range(limits):
    shares = dict.fromkeys(("equalize_share", "blur_share", "jpeg_share", "erase_share"), 1.0)
    changed = run(TrainConfig(**shares, **limits))
    assert changed.min() >= 0
    assert changed.max() <= 1


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


def test_a_share_of_the_pictures_is_changed_and_the_rest_is_not():
    pixels = tf.constant(np.random.default_rng(1).random((200, 48, 48, 1), np.float32))
    for setting in ("equalize_share", "blur_share", "jpeg_share", "erase_share"):
        config = TrainConfig(**{setting: 0.25})
        changed = augment(pixels, config, tf.constant((3, 4))).numpy() != pixels.numpy()
        share = changed.any(axis=(1, 2, 3)).mean()
        assert 0.15 < share < 0.35, setting


@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_of_which_no_picture_is_chosen_stays_as_it_is(share, count):
    """A training's last batch may be of a few pictures; in a graph, as the trainer has it."""
    shares = ("equalize_share", "blur_share", "jpeg_share", "erase_share")
    config = TrainConfig(**dict.fromkeys(shares, share or 1e-6), rotation_degrees=1e-9)
    batches = tf.data.Dataset.from_tensor_slices(
        tf.random.stateless_uniform([4, 48, 48, 1], (1, 2))
    )
    for batch in batches.batch(4).map(lambda all_of_them: all_of_them[:count]):
        found = tf.function(lambda pixels: augment(pixels, config, tf.constant((3, 4))))(batch)
        assert found.shape == batch.shape
        assert np.array_equal(found, batch) == (share == 0.0)
    spec = tf.TensorSpec([None, 48, 48, 1])
    in_graph = tf.function(lambda pixels: augment(pixels, config, tf.constant((3, 4))), [spec])
    assert np.array_equal(in_graph(batch), batch) == (share == 0.0)


def test_a_face_seen_at_half_the_size_has_lost_what_is_finer_than_two_pixels():
    stripes = np.tile(np.array([0.0, 1.0], np.float32), 24)[None, None, :, None]
    halves = np.repeat(np.array([0.2, 0.8], np.float32), 24)[None, None, :, None]
    pictures = tf.constant(np.tile(np.concatenate([stripes, halves]), (1, 48, 1, 1)))
    fine, coarse = enlarged(pictures, tf.constant(24)).numpy()
    assert np.abs(fine[4:-4, 4:-4] - 0.5).max() < 0.05
    np.testing.assert_allclose(coarse[:, [5, 42], 0], [[0.2, 0.8]] * 48, atol=1e-5)


def test_compresses_each_picture_at_its_own_quality():
    picture = (np.random.default_rng(2).random((1, 48, 48, 1)) > 0.5).astype(np.float32)
    pictures = tf.constant(picture.repeat(2, axis=0))
    bad, good = compressed(pictures, tf.constant([10, 100])).numpy()
    assert np.abs(bad - picture[0]).mean() > 2 * np.abs(good - picture[0]).mean()


def test_gamma_and_contrast_keep_their_ranges():
    gray = tf.fill([300, 48, 48, 1], 0.25)
    darkest = 0.25**2
    found = augment(gray, TrainConfig(gamma=1.0), tf.constant((5, 6))).numpy()
    assert found.min() >= darkest - 1e-6
    assert found.max() <= 0.5 + 1e-6
    assert found.max() - found.min() > 0.3
    halves = tf.constant(np.repeat([[0.4], [0.6]], 24, axis=0)[None, :, :, None], tf.float32)
    halves = tf.tile(halves, [300, 1, 48, 1])
    found = augment(halves, TrainConfig(contrast=0.5), tf.constant((7, 8))).numpy()
    spread = found.max(axis=(1, 2, 3)) - found.min(axis=(1, 2, 3))
    assert spread.min() >= 0.1 - 1e-6
    assert spread.max() <= 0.3 + 1e-6
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), 0.5, atol=1e-5)


def test_what_is_erased_is_one_rectangle_of_at_most_a_quarter():
    pixels = tf.fill([100, 48, 48, 1], 2.0)  # no noise has that value
    erased = augment(pixels, TrainConfig(erase_share=1.0), tf.constant((9, 1))).numpy() != 2.0
    for one in erased[..., 0]:
        rows, columns = np.flatnonzero(one.any(axis=1)), np.flatnonzero(one.any(axis=0))
        assert one.sum() == len(rows) * len(columns)
        assert np.ptp(rows) + 1 == len(rows)
        assert 0.01 < one.mean() < 0.27
