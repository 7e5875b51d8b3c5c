"""C1 to C20: Predict over gRPC."""

import time

import grpc
import numpy as np
import psutil
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from tests.serving.conformance.fixture_models import predict_request
from tests.serving.conformance.harness import rpc_error

MIB = 1 << 20


def halves(server, *values, version=None, label=None):
    request = predict_request("half_plus_version", x=np.float32(values))
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    return server.predict(request)


def test_c01_the_answer_names_model_version_and_signature(server):
    answer = halves(server, 2, 4)
    spec = answer.model_spec
    assert (spec.name, spec.version.value) == ("half_plus_version", 3)
    assert (spec.signature_name, spec.version_label) == ("serving_default", "")
    assert tf.make_ndarray(answer.outputs["y"]).tolist() == [4, 5]
    assert halves(server, 2, version=1).model_spec.version.value == 1
    labelled = halves(server, 2, label="stable")
    assert labelled.outputs["y"].float_val == [3]
    assert (labelled.model_spec.version.value, labelled.model_spec.version_label) == (2, "")


def test_c02_no_model_spec(server):
    request = predict_request("", x=[1.0])
    request.ClearField("model_spec")
    assert rpc_error(server.predict, request) == ("INVALID_ARGUMENT", "Missing ModelSpec")


def test_c03_empty_model_name(server):
    code = rpc_error(server.predict, predict_request("", "serving_default", x=[1.0]))
    assert code == ("INVALID_ARGUMENT", "ModelSpec has no name specified.")


def test_c04_unknown_model(server):
    assert rpc_error(server.predict, predict_request("nobody", x=[1.0])) == (
        "NOT_FOUND",
        "Servable not found for request: Latest(nobody)",
    )


def test_c05_unknown_version(server):
    request = predict_request("half_plus_version", x=[1.0])
    request.model_spec.version.value = 9
    assert rpc_error(server.predict, request) == (
        "NOT_FOUND",
        "Servable not found for request: Specific(half_plus_version, 9)",
    )


def test_c06_unknown_label(server):
    request = predict_request("half_plus_version", x=[1.0])
    request.model_spec.version_label = "nightly"
    assert rpc_error(server.predict, request) == (
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: nightly",
    )


def test_c07_unknown_signature(server):
    assert rpc_error(server.predict, predict_request("half_plus_version", "none", x=[1.0])) == (
        "FAILED_PRECONDITION",
        'Serving signature key "none" not found.',
    )


def test_c08_wrong_number_of_inputs(server):
    assert rpc_error(server.predict, predict_request("half_plus_version")) == (
        "INVALID_ARGUMENT",
        "input size does not match signature: 0!=1 len({}) != len({x}). "
        "Sent extra: {}. Missing but required: {x}.",
    )
    three = predict_request("signatures", "two_inputs", a=[1.0], c=[1.0], b=[1.0])
    assert rpc_error(server.predict, three) == (
        "INVALID_ARGUMENT",
        "input size does not match signature: 3!=2 len({a,b,c}) != len({a,b}). "
        "Sent extra: {c}. Missing but required: {}.",
    )


def test_c09_wrong_input_name_and_signature_defaults(server):
    assert rpc_error(server.predict, predict_request("half_plus_version", wrong=[1.0])) == (
        "INVALID_ARGUMENT",
        "Signature input alias: x(feed name: x:0) not found in request and no default value "
        "provided. Inputs expected to be in the request {wrong}, or default input alias set: ",
    )
    filled = server.predict(predict_request("signatures", "with_default", a=[1.0]))
    assert filled.outputs["total"].float_val == [11]
    given = server.predict(predict_request("signatures", "with_default", a=[1.0], b=[2.0]))
    assert given.outputs["total"].float_val == [3]


def test_c10_malformed_tensor_proto(server):
    short = tf.make_tensor_proto(np.float32([1, 2]))
    short.tensor_content = short.tensor_content[:5]
    assert rpc_error(server.predict, predict_request("half_plus_version", x=short)) == (
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    )


@pytest.mark.parametrize(
    ("dtype", "name"), [(np.uint8, "uint8"), (np.float64, "double"), (np.int64, "int64")]
)
def test_c11_wrong_dtype_is_not_cast(server, dtype, name):
    request = predict_request("half_plus_version", x=tf.make_tensor_proto(dtype([1])))
    assert rpc_error(server.predict, request) == (
        "INVALID_ARGUMENT",
        f"Expects arg[0] to be float but {name} is provided",
    )


@pytest.mark.parametrize("shape", [(48, 48, 1), (1, 2304), (1, 1, 48, 48, 1), (1, 48, 48, 3), ()])
def test_c12_wrong_shape(server, shape):
    request = predict_request("emotion", "pixels", pixels=np.zeros(shape, np.float32))
    # Real TF Serving's text, and UNIMPLEMENTED for a wrong number of channels, come from the op.
    assert rpc_error(server.predict, request)[0] in {"INVALID_ARGUMENT", "UNIMPLEMENTED"}
    good = server.predict(
        predict_request("emotion", "pixels", pixels=np.zeros((1, 48, 48, 1), np.float32))
    )
    assert sum(good.outputs["probabilities"].float_val) == pytest.approx(1)


def test_c13_output_filter_returns_the_subset(server):
    request = predict_request("signatures", x=np.float32([[1, 2, 3]]))
    assert sorted(server.predict(request).outputs) == ["doubled", "sum"]
    request.output_filter.append("sum")
    answer = server.predict(request)
    assert list(answer.outputs) == ["sum"]
    assert answer.outputs["sum"].float_val == [6]


def test_c14_output_filter_with_unknown_alias(server):
    request = predict_request("half_plus_version", x=[1.0])
    request.output_filter.append("z")
    assert rpc_error(server.predict, request) == (
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: z Outputs expected to be in the set {y}.",
    )


def test_c15_output_filter_with_repeated_alias(server):
    request = predict_request("half_plus_version", x=[1.0])
    request.output_filter.extend(["y", "y"])
    assert rpc_error(server.predict, request) == (
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: y",
    )


def test_c16_input_encodings_and_float_val_output(server):
    def proto(**fields):
        shape = tf.TensorShape([2, 3]).as_proto()
        return tensor_pb2.TensorProto(
            dtype=tf.float32.as_datatype_enum, tensor_shape=shape, **fields
        )

    content = np.float32([[1, 2, 3], [4, 5, 6]]).tobytes()
    for tensor, sums in [
        (proto(tensor_content=content), [6, 15]),
        (proto(float_val=[1, 2, 3, 4, 5, 6]), [6, 15]),
        (proto(float_val=[2]), [6, 6]),
    ]:
        outputs = server.predict(predict_request("signatures", x=tensor)).outputs
        assert outputs["sum"].float_val == sums
        assert outputs["sum"].tensor_content == b""


def test_c17_the_deadline_ends_the_run(server):
    request = predict_request("signatures", "slow", seconds=[20.0])
    started = time.monotonic()
    assert rpc_error(server.predict, request, timeout=0.5)[0] == "DEADLINE_EXCEEDED"
    assert time.monotonic() - started < 5
    if server.process is None:
        return  # the process of a target is somebody else's: its CPU time cannot be read
    time.sleep(0.5)
    process = psutil.Process(server.process.pid)
    before = process.cpu_times()
    time.sleep(1)
    after = process.cpu_times()
    assert after.user + after.system - before.user - before.system < 0.5


def test_c18_long_messages_are_cut_on_grpc_only(server):
    name = "n" * 3000
    code, text = rpc_error(server.predict, predict_request("half_plus_version", name, x=[1.0]))
    assert code == "FAILED_PRECONDITION"
    assert text == f'Serving signature key "{name}" not found.'[:1024] + "...TRUNCATED"
    body = {"instances": [1.0], "signature_name": name}
    answer = server.rest("/v1/models/half_plus_version:predict", body)
    assert answer.error == f'Serving signature name: "{name}" not found in signature def'


def test_c19_a_message_of_20_mib(server):
    values = np.arange(20 * MIB // 4, dtype=np.float32)
    request = predict_request("half_plus_version", x=values)
    answer = server.predict(request)
    np.testing.assert_array_equal(tf.make_ndarray(answer.outputs["y"]), values / 2 + 3)
    with grpc.insecure_channel(f"{server.host}:{server.grpc_port}") as default:
        stub = type(server.predictions)(default)
        assert rpc_error(stub.Predict, request)[0] == "RESOURCE_EXHAUSTED"


def test_c20_dynamic_batch(server):
    images = np.random.default_rng(20).random((300, 48, 48, 1), np.float32)

    def probabilities(batch):
        answer = server.predict(predict_request("emotion", "pixels", pixels=batch))
        return tf.make_ndarray(answer.outputs["probabilities"])

    single = np.concatenate([probabilities(images[i : i + 1]) for i in range(7)])
    assert single.shape == (7, 7)
    assert np.ptp(single, axis=0).max() > 0  # the images are told apart
    np.testing.assert_allclose(probabilities(images[:7]), single, atol=1e-5)
    whole = probabilities(images)
    assert whole.shape == (300, 7)
    np.testing.assert_allclose(whole[:7], single, atol=1e-5)
