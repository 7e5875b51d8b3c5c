import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.modules.dropout import Dropout
from emotion_pipeline.modules.model import build_model, set_dropout_rate
from emotion_pipeline.modules.networks import build_network


@pytest.fixture(scope="module")
def network():
    return build_network("deep", num_classes=7)


def multiply_adds(model):
    total = 0
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Conv2D):
            _, height, width, _ = layer.output_shape
            total += height * width * int(np.prod(layer.kernel.shape))
        elif isinstance(layer, tf.keras.layers.Dense):
            total += int(np.prod(layer.kernel.shape))
    return total


def test_is_within_its_bounds(network):
    specified = build_network("specified", num_classes=7)
    assert network.count_params() == 2_098_983
    assert network.count_params() <= 3_000_000
    assert multiply_adds(network) <= 1.5 * multiply_adds(specified)
    assert (network.input_shape, network.output_shape) == (
        specified.input_shape,
        specified.output_shape,
    )
    assert build_model().count_params() == specified.count_params()


def test_the_seed_decides_the_first_weights(network):
    same, other = build_network("deep"), build_network("deep", seed=1)
    assert all(
        (a == b).all() for a, b in zip(network.get_weights(), same.get_weights(), strict=True)
    )
    assert (network.get_weights()[0] != other.get_weights()[0]).any()


def test_has_one_dropout_layer_of_the_rate_that_is_set(network):
    assert set_dropout_rate(network, 0.25)
    (dropout,) = [layer for layer in network.layers if isinstance(layer, Dropout)]
    assert dropout.rate == 0.25


def test_bfloat16_keeps_weights_and_answers_in_float32():
    model = build_network("deep", dtype_policy="mixed_bfloat16")
    assert model.layers[1].compute_dtype == "bfloat16"
    assert {weight.dtype for weight in model.weights} == {tf.float32}
    assert model(tf.zeros([1, 48, 48, 1])).dtype == tf.float32
