import time

import cv2
import grpc
import numpy as np
import pytest

from emotion_faces import tensors
from emotion_faces.model_server import (
    batching,
    image_guard,
    inference,
    predict,
    servable,
    status,
    warmup,
)
from emotion_faces.protos import inference_pb2, predict_pb2, prediction_log_pb2
from tests.serving import models

LIMITS = image_guard.ImageLimits()


def load(path, name):
    return servable.Servable(path, name, 1, batching.BatchingOptions())


@pytest.fixture(scope="module")
def emotion(models_dir):
    model = load(models_dir / "emotion" / "1", "emotion")
    yield model
    model.close()


@pytest.fixture(scope="module")
def half(models_dir):
    model = load(models_dir / "half_plus_two" / "1", "half")
    yield model
    model.close()


def make_request(signature="", **arrays):
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    for alias, array in arrays.items():
        request.inputs[alias].CopyFrom(tensors.to_proto(np.asarray(array)))
    return request


def test_predict(half):
    request = make_request(x=np.array([2.0, 4.0], np.float32))
    response, _ = predict.predict(half, request, LIMITS, None)
    assert tensors.to_array(response.outputs["y"]).tolist() == [3.0, 4.0]
    assert response.model_spec.signature_name == "serving_default"


@pytest.mark.parametrize("shape", [(48, 48, 1), (1, 2304), (1, 1, 48, 48, 1), (1, 48, 48, 3)])
def test_wrong_shapes_never_reach_the_model(emotion, shape):
    request = make_request("pixels", pixels=np.zeros(shape, np.float32))
    with pytest.raises(status.StatusError, match=r"takes \[-1,48,48,1\]") as raised:
        predict.predict(emotion, request, LIMITS, None)
    assert raised.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_wrong_dtype(emotion):
    request = make_request("pixels", pixels=np.zeros((1, 48, 48, 1), np.uint8))
    with pytest.raises(status.StatusError, match="to be float but uint8 is provided"):
        predict.predict(emotion, request, LIMITS, None)


def test_the_image_that_can_not_be_decoded_is_named(emotion):
    good = cv2.imencode(".png", np.zeros((48, 48), np.uint8))[1].tobytes()
    images = np.array([good, good, good[:60], good], object)
    with pytest.raises(status.StatusError, match=r"image_bytes\[2\] cannot be decoded"):
        predict.predict(emotion, make_request(image_bytes=images), LIMITS, None)


def test_an_example_that_is_not_utf8_is_the_callers_error(emotion):
    request = make_request("classify", inputs=np.array([b"\xab"], object))
    with pytest.raises(status.StatusError, match=r"Could not parse example.*\ufffd") as raised:
        predict.predict(emotion, request, LIMITS, None)
    assert raised.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_a_batch_equals_single_calls(emotion):
    pixels = np.random.default_rng(0).random((300, 48, 48, 1), np.float32)
    signature = emotion.signatures["pixels"]
    together, _ = predict.run(emotion, signature, {"pixels": pixels}, LIMITS, None)
    assert together["probabilities"].shape == (300, 7)
    for row in (0, 150, 299):
        alone, _ = predict.run(emotion, signature, {"pixels": pixels[row : row + 1]}, LIMITS, None)
        np.testing.assert_allclose(
            alone["probabilities"][0], together["probabilities"][row], rtol=1e-5
        )


def test_a_deadline_that_has_passed(half):
    signature = half.signatures["serving_default"]
    array = {"x": np.array([1.0], np.float32)}
    outputs, _ = half.run(signature, array, time.monotonic() + 60)
    assert outputs["y"].tolist() == [2.5]


def test_multi_inference(half):
    request = inference_pb2.MultiInferenceRequest()
    for signature, method in (("classify_x_to_y", "classify"), ("regress_x_to_y2", "regress")):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "half", signature
    example = request.input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(2.0)
    response, _ = inference.multi_inference(half, request, LIMITS, None, check_method=True)
    first, second = response.results
    assert first.classification_result.classifications[0].classes[0].score == 3.0
    assert second.regression_result.regressions[0].value == 4.0
    assert second.model_spec.signature_name == "regress_x_to_y2"


def write_warmup(version_dir, records):
    import tensorflow as tf

    path = version_dir / warmup.REQUESTS_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return path


def make_log(value):
    log = prediction_log_pb2.PredictionLog()
    request = make_request(x=np.array(value, np.float32))
    log.predict_log.request.CopyFrom(request)
    return log.SerializeToString()


def test_warmup(models_dir, tmp_path):
    version_dir = models.copy_version(models_dir / "half_plus_two" / "1", tmp_path / "1")
    model = load(version_dir, "half")
    assert warmup.run_warmup(model, LIMITS) == 0
    path = write_warmup(version_dir, [make_log([1.0])] * 3)
    assert warmup.run_warmup(model, LIMITS, iterations=2) == 3
    write_warmup(version_dir, [make_log([[1.0]])])
    with pytest.raises(status.StatusError, match="input x has shape"):
        warmup.run_warmup(model, LIMITS)
    write_warmup(version_dir, [make_log([1.0])] * 1001)
    with pytest.raises(status.StatusError, match=r"exceeds the maximum \(1000\)"):
        warmup.run_warmup(model, LIMITS)
    path.write_bytes(b"no records at all")
    with pytest.raises(status.StatusError, match="in TFRecord format") as raised:
        warmup.run_warmup(model, LIMITS)
    assert raised.value.code is grpc.StatusCode.DATA_LOSS


def test_a_version_without_variables_is_refused(models_dir, tmp_path):
    version_dir = models.copy_version(models_dir / "half_plus_two" / "1", tmp_path / "1")
    for path in (version_dir / "variables").iterdir():
        path.unlink()
    with pytest.raises(status.StatusError):
        load(version_dir, "half")
