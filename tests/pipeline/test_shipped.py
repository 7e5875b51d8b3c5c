import json
import os

import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.modules.model import build_model
from emotion_pipeline.shipped.export import (
    export_model,
    fresh_network,
    load_network,
    weights_by_name,
)
from emotion_pipeline.shipped.pack import read_weights
from emotion_pipeline.shipped.weights import Facts, pack, unpack

FACTS = Facts(
    version=20260102, labels=list(LABELS), flip=True, metrics={"accuracy": 0.5}, provenance={}
)


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory):
    """A weights file of an untrained network, and the network."""
    build_model()  # another network before it: names are to be the same
    network = fresh_network(len(LABELS))
    arrays = {name: variable.numpy() for name, variable in weights_by_name(network).items()}
    path = tmp_path_factory.mktemp("shipped") / "weights.npz"
    path.write_bytes(pack(arrays, FACTS))
    return path, network


def test_packs_kernels_in_half_precision_and_vectors_whole(tmp_path):
    path = tmp_path / "weights.npz"
    kernel = np.array([[1.0, 1 / 3]], np.float32)
    variance = np.array([1e-9, 1e9], np.float32)
    path.write_bytes(pack({"dense/kernel": kernel, "bn/variance": variance}, FACTS))
    weights, facts = unpack(path)
    assert facts == FACTS
    np.testing.assert_array_equal(weights["dense/kernel"], [[1.0, np.float16(1 / 3)]])
    np.testing.assert_array_equal(weights["bn/variance"], variance)
    assert {value.dtype for value in weights.values()} == {np.dtype(np.float32)}


def test_refuses_a_kernel_beyond_half_precision():
    with pytest.raises(ValueError, match="dense/kernel: holds a value that float16 cannot hold"):
        pack({"dense/kernel": np.array([[1e6]], np.float32)}, FACTS)


def test_the_saved_model_answers_as_the_network_does(random_weights, tmp_path):
    path, network = random_weights
    version_dir = export_model(tmp_path, path)
    assert version_dir == tmp_path / "20260102"
    assert (version_dir / "assets.extra" / "labels.txt").read_text().split() == list(LABELS)
    assert json.loads((version_dir / "assets.extra" / "metrics.json").read_text()) == FACTS.metrics
    assert os.listdir(tmp_path) == ["20260102"]
    pixels = np.random.default_rng(0).random((3, 48, 48, 1), np.float32)
    served = tf.saved_model.load(str(version_dir)).signatures["pixels"](pixels=tf.constant(pixels))
    expected = (network(pixels).numpy() + network(pixels[:, :, ::-1]).numpy()) / 2
    np.testing.assert_allclose(served["probabilities"], expected, atol=5e-3)

    # What was served can be packed again, and is the same to the bit.
    repacked = read_weights(version_dir, len(LABELS))
    for name, value in unpack(path)[0].items():
        np.testing.assert_array_equal(repacked[name], value)

    before = (version_dir / "saved_model.pb").stat()
    assert export_model(tmp_path, path) == version_dir
    assert (version_dir / "saved_model.pb").stat() == before


def test_refuses_the_weights_of_another_network(tmp_path):
    path = tmp_path / "weights.npz"
    path.write_bytes(pack({"dense/kernel": np.zeros((2, 2), np.float32)}, FACTS))
    with pytest.raises(ValueError, match=r"holds \['dense/kernel'\], the network has"):
        load_network(path)
