import pytest
import tensorflow as tf

from emotion_pipeline.modules.dropout import Dropout
from emotion_pipeline.modules.model import build_model, set_dropout_rate


@pytest.fixture(scope="module")
def network():
    return build_model()


def test_parameters(network):
    assert network.count_params() == 6_837_127
    assert network.input_shape == (None, 48, 48, 1)
    assert network.output_shape == (None, 7)


def test_layers_are_the_specified_ones(network):
    names = [type(layer).__name__ for layer in network.layers]
    block = ["Conv2D", "BatchNormalization", "MaxPooling2D", "Dropout"]
    assert names == [
        "InputLayer",
        *block,
        *block,
        "Flatten",
        *["Dense", "Dropout"],
        *["Dense", "Dropout"],
        "Dense",
    ]
    for layer in network.layers:
        if isinstance(layer, tf.keras.layers.Conv2D):
            assert (layer.filters, layer.kernel_size, layer.strides) == (128, (3, 3), (1, 1))
            assert (layer.padding, layer.activation.__name__) == ("valid", "relu")
        elif isinstance(layer, tf.keras.layers.MaxPooling2D):
            assert layer.pool_size == (2, 2)
        elif isinstance(layer, tf.keras.layers.Dropout):
            assert layer.rate == 0.5
    dense = [layer for layer in network.layers if isinstance(layer, tf.keras.layers.Dense)]
    assert [(layer.units, layer.activation.__name__) for layer in dense] == [
        (512, "relu"),
        (256, "relu"),
        (7, "softmax"),
    ]


def test_the_seed_decides_the_first_weights(network):
    def first_kernel(model):
        return model.get_weights()[0]

    assert (first_kernel(build_model()) == first_kernel(network)).all()
    assert not (first_kernel(build_model(seed=1)) == first_kernel(network)).any()


def test_bfloat16_keeps_weights_and_answers_in_float32():
    before = tf.keras.mixed_precision.global_policy().name
    model = build_model(dtype_policy="mixed_bfloat16")
    assert model.layers[1].compute_dtype == "bfloat16"
    assert {weight.dtype for weight in model.weights} == {tf.float32}
    assert model(tf.zeros([1, 48, 48, 1])).dtype == tf.float32
    assert tf.keras.mixed_precision.global_policy().name == before


def test_dropout_rate_and_generators():
    model = build_model(num_classes=2)
    assert not set_dropout_rate(model, 0.5)
    assert set_dropout_rate(model, 0.25)
    layers = [layer for layer in model.layers if isinstance(layer, Dropout)]
    assert {layer.rate for layer in layers} == {0.25}
    assert len({tuple(layer.generator.state.numpy()) for layer in layers}) == len(layers) > 1
