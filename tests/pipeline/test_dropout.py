import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.modules.dropout import Dropout


@pytest.mark.parametrize("rate", [0.1, 0.5])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_zeroes_a_share_and_scales_the_rest(rate, dtype):
    layer = Dropout(rate, seed=1, dtype=dtype)
    dropped = tf.cast(layer(tf.ones([50, 20, 20, 8]), training=True), tf.float32).numpy()
    assert set(np.unique(dropped)) == {0, np.float32(tf.cast(1 / (1 - rate), dtype).numpy())}
    # 160,000 draws: four standard deviations of the share are 0.005 at most.
    assert (dropped == 0).mean() == pytest.approx(rate, abs=0.005)
    # No channel is favoured, each of 20,000 draws.
    np.testing.assert_allclose((dropped == 0).mean(axis=(0, 1, 2)), rate, atol=0.02)


def test_draws_anew_each_time_and_alike_for_a_seed():
    def masks(seed):
        layer = Dropout(0.5, seed=seed)
        return [layer(tf.ones([1, 512]), training=True).numpy() for _ in range(2)]

    first, second = masks(1)
    assert (first != second).mean() == pytest.approx(0.5, abs=0.1)
    np.testing.assert_array_equal([first, second], masks(1))
    assert (first != masks(2)[0]).any()


@pytest.mark.parametrize(("rate", "training"), [(0.5, False), (0.5, None), (0.0, True)])
def test_leaves_the_input_as_it_is(rate, training):
    pixels = tf.reshape(tf.range(8.0), [2, 4])
    assert (Dropout(rate, seed=1)(pixels, training=training).numpy() == pixels.numpy()).all()


def test_gradient_passes_where_the_input_does():
    layer, inputs = Dropout(0.5, seed=1), tf.Variable(tf.ones([4, 64]))
    with tf.GradientTape() as tape:
        dropped = layer(inputs, training=True)
    np.testing.assert_array_equal(tape.gradient(dropped, inputs), dropped)


def test_wants_an_even_width():
    with pytest.raises(ValueError, match=r"even last dimension, got \(1, 3\)"):
        Dropout(0.5, seed=1)(tf.ones([1, 3]))
