"""C21 to C28: Classify, Regress and MultiInference over gRPC."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

from tests.serving.conformance.harness import rpc_error
from tests.serving.models import LABELS

ROWS = [[0, 1, 2, 3, 4, 5, 6], [7, 0, 0, 0, 0, 0, 0.5]]


def examples(rows=ROWS):
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={"x": tf.train.Feature(float_list=tf.train.FloatList(value=row))}
            )
        )
        for row in rows
    ]


def with_examples(request, model, signature, rows=ROWS):
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    request.input.example_list.examples.extend(examples(rows))
    return request


def multi_request(*tasks, rows=ROWS):
    request = inference_pb2.MultiInferenceRequest()
    for model, signature, method in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name = model
        task.model_spec.signature_name = signature
    request.input.example_list.examples.extend(examples(rows))
    return request


@pytest.fixture(scope="module")
def stub(server):
    return server.predictions


def test_c21_classify_on_a_predict_signature(stub):
    request = with_examples(classification_pb2.ClassificationRequest(), "signatures", "single")
    code, text = rpc_error(stub.Classify, request)
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("No classification inputs found in SignatureDef: ")


def test_c22_regress_on_a_predict_signature_and_on_its_own(stub):
    request = with_examples(regression_pb2.RegressionRequest(), "signatures", "single")
    code, text = rpc_error(stub.Regress, request)
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("No regression inputs found in SignatureDef: ")
    answer = stub.Regress(
        with_examples(regression_pb2.RegressionRequest(), "signatures", "regress"), timeout=10
    )
    assert [regression.value for regression in answer.result.regressions] == [21, 7.5]


def test_c23_unknown_signature(stub):
    for call, request in [
        (stub.Classify, classification_pb2.ClassificationRequest()),
        (stub.Regress, regression_pb2.RegressionRequest()),
    ]:
        assert rpc_error(call, with_examples(request, "signatures", "none")) == (
            "INVALID_ARGUMENT",
            "No signature was found with the name: none",
        )


def test_c24_empty_input(stub):
    request = with_examples(
        classification_pb2.ClassificationRequest(), "signatures", "classify", rows=[]
    )
    assert rpc_error(stub.Classify, request) == ("INVALID_ARGUMENT", "Input is empty.")
    request.ClearField("input")
    assert rpc_error(stub.Classify, request) == ("INVALID_ARGUMENT", "Input is empty.")


def test_c25_classify_returns_label_and_score_in_output_order(stub):
    request = with_examples(classification_pb2.ClassificationRequest(), "signatures", "classify")
    answer = stub.Classify(request, timeout=10)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("signatures", 1)
    pairs = [
        [(one.label, one.score) for one in row.classes] for row in answer.result.classifications
    ]
    assert pairs == [list(zip(LABELS, row, strict=True)) for row in ROWS]


def test_c25_context_is_merged_into_each_example(stub):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "signatures"
    request.model_spec.signature_name = "classify"
    listed = request.input.example_list_with_context
    listed.context.CopyFrom(examples()[1])
    listed.examples.extend([tf.train.Example(), examples()[0]])
    rows = stub.Classify(request, timeout=10).result.classifications
    assert [[one.score for one in row.classes] for row in rows] == [ROWS[1], ROWS[0]]


def test_c26_multi_inference_over_different_models(stub):
    request = multi_request(
        ("signatures", "classify", "classify"), ("emotion", "classify", "classify")
    )
    assert rpc_error(stub.MultiInference, request) == (
        "INVALID_ARGUMENT",
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    )


def test_c27_multi_inference_with_a_signature_twice(stub):
    request = multi_request(
        ("signatures", "classify", "classify"), ("signatures", "classify", "classify")
    )
    assert rpc_error(stub.MultiInference, request) == (
        "INVALID_ARGUMENT",
        "Duplicate evaluation of signature: classify",
    )


def test_c28_multi_inference_methods(stub):
    request = multi_request(("signatures", "classify", "predict"))
    assert rpc_error(stub.MultiInference, request) == (
        "UNIMPLEMENTED",
        "Unsupported signature method_name: tensorflow/serving/predict",
    )
    both = multi_request(
        ("signatures", "classify", "classify"), ("signatures", "regress", "regress")
    )
    first, second = stub.MultiInference(both, timeout=10).results
    classes = first.classification_result.classifications
    assert [[one.score for one in row.classes] for row in classes] == ROWS
    assert [row.value for row in second.regression_result.regressions] == [21, 7.5]
    assert (first.model_spec.signature_name, second.model_spec.signature_name) == (
        "classify",
        "regress",
    )
