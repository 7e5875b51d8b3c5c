import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.modules.export import write_extras
from emotion_pipeline.modules.networks import build_network
from emotion_pipeline.modules.signatures import ServedModel, save
from emotion_pipeline.modules.warm_start import start_from

NAMES = ["happy", "sad"]
PIXELS = np.random.default_rng(1).random((3, 48, 48, 1), np.float32)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """A folder with one pushed version, of a deep network, and the network itself."""
    network = build_network("deep", num_classes=2, seed=5)
    for norm in [x for x in network.layers if isinstance(x, tf.keras.layers.BatchNormalization)]:
        norm.moving_mean.assign(tf.random.stateless_normal(norm.moving_mean.shape, [1, 2]))
    folder = tmp_path_factory.mktemp("pushed")
    save(ServedModel(network, NAMES), str(folder / "7"))
    kind = {"network": "deep", "normalize": "none", "flip": False}
    write_extras(str(folder / "7"), NAMES, {}, kind, np.zeros((1, 48, 48, 1), np.uint8))
    return folder, network


def test_begins_with_weights_and_statistics_of_the_newest_version(pushed):
    folder, network = pushed
    fresh = build_network("deep", num_classes=2, seed=6)
    assert np.abs(fresh(PIXELS) - network(PIXELS)).max() > 1e-3
    start_from(fresh, str(folder), "deep", NAMES)
    np.testing.assert_array_equal(fresh(PIXELS), network(PIXELS))


def test_a_pushed_version_holds_the_weights_and_no_function_of_a_layer(pushed):
    folder, network = pushed
    variables = tf.train.list_variables(str(folder / "7/variables/variables"))
    assert len(variables) == len(network.weights) + 1  # TensorFlow's graph of objects
    graph = saved_model_pb2.SavedModel.FromString((folder / "7/saved_model.pb").read_bytes())
    functions = [one.signature.name for one in graph.meta_graphs[0].graph_def.library.function]
    assert functions
    assert not any("layer_call" in name or "conv2d" in name for name in functions)


def test_takes_nothing_of_the_optimizer_that_the_model_was_pushed_with(tmp_path):
    """Its step would be where the schedule of the learning rate begins."""
    trained = build_network("specified", num_classes=2)
    trained.compile(tf.keras.optimizers.Adam(), "categorical_crossentropy")
    trained.fit(PIXELS, np.eye(2, dtype=np.float32)[[0, 1, 1]], verbose=0)
    # As models were pushed once.
    pushed = tf.Module()
    pushed._network = trained
    tf.saved_model.save(pushed, str(tmp_path / "1"))
    kind = {"network": "specified", "normalize": "none", "flip": False}
    write_extras(str(tmp_path / "1"), NAMES, {}, kind, np.zeros((1, 48, 48, 1), np.uint8))
    names = [name for name, _ in tf.train.list_variables(str(tmp_path / "1/variables/variables"))]
    assert any("optimizer" in name for name in names)

    fresh = build_network("specified", num_classes=2, seed=6)
    start_from(fresh, str(tmp_path), "specified", NAMES)
    optimizer = tf.keras.optimizers.Adam()
    fresh.compile(optimizer, "categorical_crossentropy")
    optimizer.build(fresh.trainable_variables)
    assert int(optimizer.iterations) == 0
    assert not any(variable.numpy().any() for variable in optimizer.variables[2:])
    np.testing.assert_array_equal(fresh(PIXELS), trained(PIXELS))


def test_refuses_another_network_and_another_order(pushed):
    folder, _ = pushed
    fresh = build_network("deep", num_classes=2)
    with pytest.raises(UserError, match="7 is a deep network; this run trains a specified one"):
        start_from(fresh, str(folder), "specified", NAMES)
    with pytest.raises(UserError, match="in the order happy, sad; this run's is sad, happy"):
        start_from(fresh, str(folder), "deep", NAMES[::-1])


def test_refuses_a_model_that_does_not_say_what_network_it_is(pushed, tmp_path):
    folder, _ = pushed
    fresh = build_network("deep", num_classes=2)
    kind_file = folder / "7" / "assets.extra" / "network.json"
    kind = json.loads(kind_file.read_text())
    kind_file.unlink()
    try:
        with pytest.raises(UserError, match="7 does not say which network it is"):
            start_from(fresh, str(folder), "deep", NAMES)
    finally:
        kind_file.write_text(json.dumps(kind))
