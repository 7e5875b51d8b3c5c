"""The ONNX file against the SavedModel: the same weights, the same answers."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from emotion_pipeline.components.calibration import tempered
from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.modules.networks import arrays_by_name, build_network, variables_by_name
from emotion_pipeline.modules.normalize import normalize
from emotion_pipeline.modules.onnx_file import write_int8, write_onnx
from emotion_pipeline.modules.signatures import ServedModel
from emotion_pipeline.onnx_model.graph import OPSET, Graph
from emotion_pipeline.onnx_model.int8 import choose_sample, in_int8
from emotion_pipeline.onnx_model.light import add_normalize
from emotion_pipeline.onnx_model.model import make_onnx
from emotion_pipeline.shipped.models import find_shipped, shipped_models
from emotion_pipeline.shipped.weights import unpack

SHIPPED = shipped_models()


def pictures(count):
    """Smooth pictures of any light, some of one level, some outside [0, 1] by rounding."""
    rng = np.random.default_rng(5)
    small = rng.random((count, 6, 6, 1), np.float32)
    drawn = tf.image.resize(small, (48, 48), "bicubic").numpy()
    drawn = drawn * rng.uniform(0.1, 1, (count, 1, 1, 1)) + rng.uniform(0, 0.5, (count, 1, 1, 1))
    drawn[::100] = rng.random((len(drawn[::100]), 1, 1, 1))
    return np.clip(drawn, 0, 1).astype(np.float32)


def run(model, **inputs):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


@pytest.mark.slow
@pytest.mark.parametrize("model", SHIPPED, ids=[model.name for model in SHIPPED])
def test_a_shipped_model_answers_as_its_saved_model_on_a_thousand_pictures(model):
    facts = model.facts
    weights = unpack(model.weights_file)
    tf.keras.backend.clear_session()
    network = build_network(facts.network, num_classes=len(facts.labels))
    for name, variable in variables_by_name(network).items():
        variable.assign(weights[name])
    # Also where the model as it ships has none.
    temperature = 1.4
    served = ServedModel(network, facts.labels, None, facts.flip, facts.normalize, temperature)
    answer = served.signatures()["pixels"]
    file = make_onnx(weights, facts.labels, **{**facts.kind, "temperature": temperature})
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for batch in np.split(pictures(1000), 10):
        expected = answer(pixels=tf.constant(batch))["probabilities"].numpy()
        (found,) = session.run(None, {"pixels": batch})
        np.testing.assert_allclose(found, expected, atol=1e-3)
    assert session.run(None, {"pixels": batch[:0]})[0].shape == (0, len(facts.labels))


@pytest.mark.parametrize("name", ["specified", "deep"])
def test_the_file_of_any_network_of_the_process(name, tmp_path):
    build_network(name)  # so that Keras numbers the layers of the next one on
    network = build_network(name, num_classes=3)
    kind = {"network": name, "normalize": "none", "flip": False, "temperature": 0.5}
    write_onnx(str(tmp_path), arrays_by_name(network), ["a", "b", "c"], kind)
    batch = pictures(4)
    found = run((tmp_path / "model.onnx").read_bytes(), pixels=batch)
    np.testing.assert_allclose(found, tempered(network(batch).numpy(), 0.5), atol=1e-3)


@pytest.mark.parametrize(
    ("true_of", "is_written"), [("model.int8.onnx", True), ("model.onnx", False)]
)
def test_eight_bits_are_written_where_they_cost_little(true_of, is_written, tmp_path):
    model = find_shipped("deep")
    write_onnx(str(tmp_path), unpack(model.weights_file), model.facts.labels, model.facts.kind)
    pixels = (pictures(400) * 255).astype(np.uint8)
    whole = (tmp_path / "model.onnx").read_bytes()
    small = in_int8(whole, choose_sample(pixels))
    answers = [
        run(model, pixels=pixels.astype(np.float32) / 255).argmax(axis=1)
        for model in (whole, small)
    ]
    assert 0.8 < np.mean(answers[0] == answers[1]) < 0.99
    labels = answers[true_of == "model.int8.onnx"]
    told = write_int8(str(tmp_path), pixels, pixels, labels)
    file = tmp_path / "model.int8.onnx"
    assert file.exists() == is_written
    assert ("written as" in told) == is_written
    if is_written:
        assert file.read_bytes() == small
        assert len(small) < len(whole) * 0.6
        labels, told = (
            onnxruntime.InferenceSession(data).get_modelmeta().custom_metadata_map["labels"]
            for data in (small, whole)
        )
        assert labels == told


@pytest.mark.parametrize("method", ["none", "equalize", "standardize"])
def test_the_light_is_normalised_as_in_training(method):
    batch = pictures(20)
    graph = Graph({})
    describe = onnx.helper.make_tensor_value_info
    shapes = [describe(name, onnx.TensorProto.FLOAT, ["N", 2304]) for name in ("x", "y")]
    file = graph.finish(add_normalize(graph, "x", method, 2304), *shapes, {})
    found = run(file, x=batch.reshape(20, 2304)).reshape(batch.shape)
    np.testing.assert_allclose(found, normalize(tf.constant(batch), method), atol=1e-6)


def test_the_file_says_what_it_is():
    weights = arrays_by_name(build_network("deep"))
    file = make_onnx(weights, LABELS, "deep", "equalize", True, 1.25)
    model = onnx.load_from_string(file)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(told["labels"]) == list(LABELS)
    assert told["network"] == "deep"
    assert (told["normalize"], told["flip"], told["temperature"], told["in_graph"]) == (
        "equalize",
        "true",
        "1.25",
        "normalize, flip, temperature",
    )
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    kernels = [array for array in model.graph.initializer if array.name.endswith("/kernel")]
    assert {array.data_type for array in kernels} == {onnx.TensorProto.FLOAT16}
    assert len(file) < 4_300_000


def test_a_kernel_beyond_half_precision_stays_whole():
    weights = arrays_by_name(build_network("deep"))
    weights["probabilities/kernel"][0, 0] = 1e6
    model = onnx.load_from_string(make_onnx(weights, LABELS, "deep", "none", False))
    kinds = {array.name: array.data_type for array in model.graph.initializer}
    assert kinds["probabilities/kernel"] == onnx.TensorProto.FLOAT
    assert kinds["conv2d/kernel"] == onnx.TensorProto.FLOAT16


def test_refuses_layers_that_the_graph_has_not():
    weights = arrays_by_name(build_network("deep"))
    with pytest.raises(ValueError, match=r"nothing takes \['dense_7/kernel'\]"):
        make_onnx({**weights, "dense_7/kernel": np.ones((2, 2))}, LABELS, "deep", "none", False)
