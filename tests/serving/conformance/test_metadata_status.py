"""C29 to C36: GetModelMetadata and GetModelStatus over gRPC."""

import pytest
from google.protobuf import any_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2
from tensorflow_serving.config import model_server_config_pb2

from tests.serving.conformance import fixture_models
from tests.serving.conformance.harness import State, rpc_error


def metadata_request(model, *fields):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = model
    return request


def status_request(model, version=None, label=None):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = model
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    return request


def test_c29_metadata_without_a_field(server):
    assert rpc_error(server.predictions.GetModelMetadata, metadata_request("emotion")) == (
        "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field",
    )


def test_c30_metadata_of_another_field(server):
    request = metadata_request("emotion", "tests")
    assert rpc_error(server.predictions.GetModelMetadata, request) == (
        "INVALID_ARGUMENT",
        "Metadata field tests is not supported",
    )


def test_c31_metadata_lists_every_signature(server):
    request = metadata_request("signatures", "signature_def")
    answer = server.predictions.GetModelMetadata(request, timeout=10)
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("signatures", 1, "")
    packed = answer.metadata["signature_def"]
    assert isinstance(packed, any_pb2.Any)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert packed.Unpack(signatures)
    assert sorted(signatures.signature_def) == [
        "__saved_model_init_op",
        "bfloat16",
        "classify",
        "echo",
        "half",
        "regress",
        "serving_default",
        "single",
        "slow",
        "strings",
        "two_inputs",
        "with_default",
    ]
    rows = signatures.signature_def["single"].inputs["x"]
    assert rows.name == "rows:0"
    assert [dim.size for dim in rows.tensor_shape.dim] == [-1, 3]


def test_c32_status_lists_versions_descending(server):
    answer = server.models.GetModelStatus(status_request("half_plus_version"), timeout=10)
    assert [status.version for status in answer.model_version_status] == [3, 2, 1]
    for status in answer.model_version_status:
        assert (status.state, status.status.error_code, status.status.error_message) == (30, 0, "")
    one = server.models.GetModelStatus(status_request("half_plus_version", 2), timeout=10)
    assert [status.version for status in one.model_version_status] == [2]
    states = {"START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50}
    assert {name: State.Value(name) for name in states} == states


def test_c33_status_of_an_unknown_model(server):
    assert rpc_error(server.models.GetModelStatus, status_request("nobody")) == (
        "NOT_FOUND",
        "Could not find any versions of model nobody",
    )


def test_c34_status_of_an_unknown_version(server):
    assert rpc_error(server.models.GetModelStatus, status_request("emotion", 9)) == (
        "NOT_FOUND",
        "Could not find version 9 of model emotion",
    )


def test_c35_status_ignores_labels(server):
    for label in ("stable", "nobody knows it"):
        request = status_request("half_plus_version", label=label)
        answer = server.models.GetModelStatus(request, timeout=10)
        assert [status.version for status in answer.model_version_status] == [3, 2, 1]


@pytest.mark.slow
def test_c36_unloaded_and_failed_versions_stay_listed(lifecycle, base_path):
    for version in (1, 2):
        fixture_models.write_half_plus_version(base_path, version)
    config = model_server_config_pb2.ModelConfig(
        name="c36", base_path=str(base_path), model_platform="tensorflow"
    )
    config.model_version_policy.all.SetInParent()
    lifecycle.reload(config)
    for version in (1, 2):
        lifecycle.wait_for("c36", version, "AVAILABLE")
    fixture_models.write_corrupt(base_path, 3)
    (base_path / "1").rename(base_path.parent / "away")
    unloaded = lifecycle.wait_for("c36", 1, "END")
    assert (unloaded.status.error_code, unloaded.status.error_message) == (0, "")
    failed = lifecycle.wait_for("c36", 3, "END")
    assert failed.status.error_code != 0
    assert failed.status.error_message
    assert lifecycle.status("c36")[2].state == State.AVAILABLE
