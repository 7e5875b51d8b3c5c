import json
import os

import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.components.calibration import tempered
from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.records.calibration_record import Calibration
from emotion_pipeline.modules.model import build_model
from emotion_pipeline.modules.networks import arrays_by_name, build_network
from emotion_pipeline.modules.normalize import equalize
from emotion_pipeline.modules.warm_start import read_arrays
from emotion_pipeline.shipped.export import (
    export_model,
    load_network,
)
from emotion_pipeline.shipped.models import Facts, ShippedModel, find_shipped, shipped_models
from emotion_pipeline.shipped.weights import pack, unpack


def facts(network="specified", accuracy=0.5):
    return Facts(
        version=20260102,
        labels=list(LABELS),
        network=network,
        normalize="equalize",
        flip=True,
        metrics={"accuracy": accuracy},
        provenance={},
        calibration=Calibration(1.5, 900, "pictures", 0.2, 0.1),
    )


def test_facts_come_back_as_they_were_written(tmp_path):
    facts().write(tmp_path)
    assert ShippedModel("x", tmp_path).facts == facts()
    content = json.loads((tmp_path / "facts.json").read_text())
    del content["calibration"]
    (tmp_path / "facts.json").write_text(json.dumps(content))
    assert ShippedModel("x", tmp_path).facts.kind["temperature"] == 1.0


@pytest.fixture(scope="module", params=["specified", "deep"])
def untrained(request, tmp_path_factory):
    """An untrained network as a shipped model, and the network."""
    build_model()  # another network before it: names are to be the same
    network = build_network(request.param, num_classes=len(LABELS))
    arrays = arrays_by_name(network)
    model = ShippedModel("untrained", tmp_path_factory.mktemp("shipped"))
    model.weights_file.write_bytes(pack(arrays))
    facts(request.param).write(model.folder)
    return model, network


@pytest.mark.parametrize("model", shipped_models(), ids=lambda model: model.name)
def test_the_weights_that_come_along_fit_the_layers(model):
    network = build_network(model.facts.network, num_classes=len(model.facts.labels))
    shapes = {name: array.shape for name, array in arrays_by_name(network).items()}
    assert {name: array.shape for name, array in unpack(model.weights_file).items()} == shapes, (
        f"train {model.facts.network} anew and pack it: pipeline/shipped/pack.py"
    )


def test_packs_kernels_in_half_precision_and_vectors_whole(tmp_path):
    path = tmp_path / "weights.npz"
    kernel = np.array([[1.0, 1 / 3]], np.float32)
    variance = np.array([1e-9, 1e9], np.float32)
    path.write_bytes(pack({"dense/kernel": kernel, "bn/variance": variance}))
    weights = unpack(path)
    np.testing.assert_array_equal(weights["dense/kernel"], [[1.0, np.float16(1 / 3)]])
    np.testing.assert_array_equal(weights["bn/variance"], variance)
    assert {value.dtype for value in weights.values()} == {np.dtype(np.float32)}


def test_refuses_a_kernel_beyond_half_precision():
    with pytest.raises(ValueError, match="dense/kernel: holds a value that float16 cannot hold"):
        pack({"dense/kernel": np.array([[1e6]], np.float32)})


def test_the_saved_model_answers_as_the_network_does(untrained, tmp_path):
    model, network = untrained
    version_dir = export_model(tmp_path, model)
    assert version_dir == tmp_path / "20260102"
    extra = version_dir / "assets.extra"
    assert (extra / "labels.txt").read_text().split() == list(LABELS)
    assert json.loads((extra / "metrics.json").read_text()) == {"accuracy": 0.5}
    assert json.loads((extra / "network.json").read_text()) == {
        "network": model.facts.network,
        "normalize": "equalize",
        "flip": True,
        "temperature": 1.5,
    }
    assert os.listdir(tmp_path) == ["20260102"]
    pixels = np.random.default_rng(0).random((3, 48, 48, 1), np.float32)
    served = tf.saved_model.load(str(version_dir)).signatures["pixels"](pixels=tf.constant(pixels))
    seen = equalize(tf.constant(pixels)).numpy()
    expected = tempered((network(seen).numpy() + network(seen[:, :, ::-1]).numpy()) / 2, 1.5)
    np.testing.assert_allclose(served["probabilities"], expected, atol=2e-2)

    # What was served can be packed again, and is the same to the bit.
    repacked = read_arrays(str(version_dir), model.facts.network, len(LABELS))
    for name, value in unpack(model.weights_file).items():
        np.testing.assert_array_equal(repacked[name], value)

    before = (version_dir / "saved_model.pb").stat()
    assert export_model(tmp_path, model) == version_dir
    assert (version_dir / "saved_model.pb").stat() == before


def test_refuses_the_weights_of_another_network(tmp_path):
    model = ShippedModel("other", tmp_path)
    model.weights_file.write_bytes(pack({"dense/kernel": np.zeros((2, 2), np.float32)}))
    facts().write(tmp_path)
    with pytest.raises(ValueError, match=r"holds \['dense/kernel'\], the network has"):
        load_network(model)


def test_the_model_that_is_right_more_often_comes_first(tmp_path):
    for name, accuracy in (("a", 0.5), ("b", 0.7), ("c", 0.6)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.npz").write_bytes(pack({}))
        facts(accuracy=accuracy).write(tmp_path / name)
    assert [model.name for model in shipped_models(tmp_path)] == ["b", "c", "a"]


def test_finds_the_models_that_come_with_the_project_and_names_them():
    best, *rest = shipped_models()
    assert find_shipped() == best
    for model in (best, *rest):
        assert find_shipped(model.name) == model
        assert model.card_file.is_file()
    with pytest.raises(UserError, match=f"--model x: no such model comes .* there are {best.name}"):
        find_shipped("x")
