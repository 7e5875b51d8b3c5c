"""C37 to C58: the REST API."""

import base64
import gzip
import json

import numpy as np
import pytest

HALVES = "/v1/models/half_plus_version"
SIGNATURES = "/v1/models/signatures"
MIB = 1 << 20


def predict(server, body, path=HALVES):
    return server.rest(f"{path}:predict", body)


def signature(server, name, **body):
    return predict(server, {"signature_name": name, **body}, SIGNATURES)


def error_of(answer, code=400):
    """The error text, after checking that the answer is an error of the contract's form."""
    assert answer.code == code, answer.body[:500]
    assert answer.headers["Content-Type"].startswith("application/json")
    assert list(answer.json()) == ["error"]
    return answer.error


def test_c37_paths(server):
    body = {"instances": [2.0]}
    for path, expected in [
        ("/v1/models/half_plus_version:predict", 4.0),
        ("/V1/Models/half_plus_version:predict", 4.0),
        ("/v1/models/half_plus_version/versions/1:predict", 2.0),
        ("/v1/models/half_plus_version/labels/stable:predict", 3.0),
        ("/v1/models/half%5Fplus%5fversion:predict", 4.0),
        ("/v1/models/half_plus_version/labels/st%61ble:predict", 3.0),
    ]:
        assert server.rest(path, body).json() == {"predictions": [expected]}, path
    for path in ("", "/versions/2", "/labels/canary", "/metadata", "/versions/2/metadata"):
        assert server.rest(f"{HALVES}{path}").code == 200, path
    examples = {"signature_name": "classify", "examples": [{"x": [1, 2, 3, 4, 5, 6, 7.5]}]}
    # A JSON integer makes an int64 feature, which a list that holds a decimal cannot be.
    assert "Unexpected element type" in error_of(server.rest(f"{SIGNATURES}:classify", examples))
    examples["examples"] = [{"x": [float(i) + 0.5 for i in range(7)]}]
    classified = server.rest(f"{SIGNATURES}:classify", examples).json()
    assert classified["results"][0][1] == ["disgust", 1.5]
    examples["signature_name"] = "regress"
    assert server.rest(f"{SIGNATURES}:regress", examples).json() == {"results": [24.5]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/models/half_plus_version"),
        ("GET", "/v1/models/half_plus_version:predict"),
        ("GET", "/v1/nothing"),
        ("GET", "/v1/models/half_plus_version/versions/x"),
        ("POST", "/v1/models/half_plus_version:explain"),
        ("DELETE", "/v1/models/half_plus_version"),
    ],
)
def test_c38_malformed_request(server, method, path):
    answer = server.rest(path, b"{}" if method == "POST" else None, method=method)
    assert error_of(answer) == f"Malformed request: {method} {path}"


def test_c39_no_model_name(server):
    assert error_of(server.rest("/v1/models")) == "Missing model name in request."


def test_c40_outside_v1(server):
    for path in ("/", "/v2/models/half_plus_version", "/index.html"):
        answer = server.rest(path)
        assert answer.code == 404
        assert "json" not in (answer.headers["Content-Type"] or "")


def test_c41_errors_are_json_with_the_mapped_status(server):
    # 429, 503 and 504 need a full queue or a slow run: C79 and test_c41_deadline look at them.
    body = {"instances": [1.0]}
    assert error_of(server.rest("/v1/models/nobody:predict", body), 404) == (
        "Servable not found for request: Latest(nobody)"
    )
    assert error_of(server.rest("/v1/models/nobody"), 404) == (
        "Could not find any versions of model nobody"
    )
    assert error_of(server.rest(f"{HALVES}/labels/none:predict", body)) == (
        "Unrecognized servable version label: none"
    )
    error_of(signature(server, "half", inputs=[1.0]), 501)


def test_c42_instances_give_predictions(server):
    assert predict(server, {"instances": [2.0, 4.0]}).json() == {"predictions": [4.0, 5.0]}
    rows = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert signature(server, "serving_default", instances=rows).json() == {
        "predictions": [
            {"sum": 6.0, "doubled": [2.0, 4.0, 6.0]},
            {"sum": 15.0, "doubled": [8.0, 10.0, 12.0]},
        ]
    }
    named = [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]
    assert signature(server, "two_inputs", instances=named).json() == {"predictions": [3.0, 7.0]}


def test_c43_inputs_give_outputs(server):
    assert predict(server, {"inputs": [2.0, 4.0]}).json() == {"outputs": [4.0, 5.0]}
    assert predict(server, {"inputs": {"x": [2.0]}}).json() == {"outputs": [4.0]}
    columns = {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    assert signature(server, "two_inputs", inputs=columns).json() == {"outputs": [4.0, 6.0]}
    assert signature(server, "serving_default", inputs=[[1.0, 2.0, 3.0]]).json() == {
        "outputs": {"sum": [6.0], "doubled": [[2.0, 4.0, 6.0]]}
    }
    assert "Missing named input: b" in error_of(
        signature(server, "two_inputs", inputs={"a": [1.0]})
    )


def test_c44_both_keys(server):
    error = error_of(predict(server, {"inputs": [1.0], "instances": [1.0]}))
    assert "expecting only one of 'inputs' or 'instances' keys to exist" in error


def test_c45_neither_key(server):
    assert error_of(predict(server, {})) == "Missing 'inputs' or 'instances' key"


def test_c46_unknown_signature(server):
    answer = predict(server, {"signature_name": "none", "instances": [1.0]})
    assert error_of(answer) == 'Serving signature name: "none" not found in signature def'


def test_c47_body_that_is_not_json(server):
    assert error_of(predict(server, b"")) == "JSON Parse error: The document is empty"
    assert error_of(predict(server, b"{")).startswith("JSON Parse error: ")
    for body in (b"\xff\xfe{}", b'{"signature_name": "s\xed"}', b'{"signature_name": "\\ud800"}'):
        assert error_of(predict(server, body)).startswith("JSON Parse error: "), body
    too_big = b'{"instances": [' + b"9" * 5000 + b"]}"
    assert "Number too big to be stored in double" in error_of(predict(server, too_big))


def test_c48_top_level_that_is_not_an_object(server):
    for body in (b"[1.0]", b"3", b'"x"', b"null"):
        assert error_of(predict(server, body)).endswith("Is not object")


def test_c49_instances_not_a_list_or_empty(server):
    assert "Expecting 'instances' to be an list/array" in error_of(
        predict(server, {"instances": 1.0})
    )
    assert "No values in 'instances' array" in error_of(predict(server, {"instances": []}))


def test_c50_ragged_rows(server):
    inner = error_of(signature(server, "echo", instances=[[[1.0, 2.0, 3.0], [4.0, 5.0]]]))
    assert inner == (
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
        "Encountered list at unexpected size: 2 at level: 1 expected size: 3"
    )
    between = error_of(signature(server, "echo", instances=[[1.0, 2.0, 3.0], [4.0, 5.0]]))
    assert between == (
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
        "Expecting tensor size: 3 but got: 2"
    )


def test_c51_string_for_a_float(server):
    assert error_of(predict(server, {"instances": ["a"]})) == (
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: "a" Type: String is not of expected type: float'
    )
    # The whole string is quoted.
    assert len(error_of(predict(server, {"instances": ["a" * 10000]}))) == 10133


def test_deviation_a_very_long_value_is_not_sent_back_whole(server):
    error = error_of(predict(server, {"instances": ["a" * 1_000_000]}))
    assert error.startswith("Failed to process element: 0 of 'instances' list. Error: ")
    assert error.endswith("... Type: String is not of expected type: float")
    assert len(error) < 70_000


def test_c52_rows_must_have_exactly_the_inputs(server):
    missing = error_of(signature(server, "two_inputs", instances=[{"a": 1.0}]))
    assert missing.startswith("Failed to process element: 0 of 'instances' list. JSON object: ")
    assert missing.endswith("keys must be equal to: a,b")
    extra = [{"a": 1.0, "b": 2.0, "c": 3.0}]
    error = error_of(signature(server, "two_inputs", instances=extra))
    assert "does not have named input: c" in error
    plain = error_of(signature(server, "two_inputs", instances=[1.0]))
    assert "expecting list of objects" in plain


def test_c53_base64(server):
    data = b"\x00\xff\xfe bytes"
    encoded = {"b64": base64.b64encode(data).decode()}
    answer = signature(server, "strings", instances=[{"b64": base64.b64encode(b"text").decode()}])
    assert answer.json() == {
        "predictions": [{"text": "text", "raw_bytes": {"b64": base64.b64encode(b"text").decode()}}]
    }
    column = signature(server, "strings", inputs=[encoded, "plain"])
    # `text` is not named as bytes, and is written as it is: the body need not be UTF-8.
    outputs = json.loads(column.body.decode(errors="replace"))["outputs"]
    assert outputs["raw_bytes"] == [encoded, {"b64": base64.b64encode(b"plain").decode()}]
    assert outputs["text"][1] == "plain"
    for bad in ({"b64": "***"}, {"b64": "a"}):
        assert "Unable to base64 decode" in error_of(signature(server, "strings", instances=[bad]))
    assert "is not of expected type: float" in error_of(predict(server, {"inputs": [encoded]}))


def test_c54_numbers_as_json_text(server):
    body = b'{"instances": [NaN, Infinity, -Infinity, 2, 0.4]}'
    assert error_of(predict(server, body + b" and more text")) == (
        "JSON Parse error: The document root must not be followed by other values. at offset: 50"
    )
    answer = predict(server, body + b" \n")
    numbers = answer.body.decode().split("[")[1].split("]")[0].replace(",", " ").split()
    assert numbers == ["NaN", "Infinity", "-Infinity", "4.0", "3.2"]
    values = np.float32([1 / 3, 1e-8, 16777216, 1e30, 0.1])
    body = {"signature_name": "echo", "instances": values.tolist()}
    text = predict(server, body, SIGNATURES).body.decode()
    numbers = text.split("[")[1].split("]")[0].replace(",", " ").split()
    np.testing.assert_array_equal(np.float32(numbers), values)
    assert numbers[-1] == "0.1"
    assert max(map(len, numbers)) <= len("0.333333343")


@pytest.mark.parametrize("name", ["half", "bfloat16"])
def test_c55_half_precision_inputs(server, name):
    reason = f"Conversion of JSON Value: 1.0 to type: {name}"
    assert error_of(signature(server, name, instances=[1.0])) == (
        f"Failed to process element: 0 of 'instances' list. Error: UNIMPLEMENTED: {reason}"
    )
    assert error_of(signature(server, name, inputs=[1.0]), 501) == reason


def test_c56_gzip_bodies_up_to_100_mib_inflated(server):
    headers = {"Content-Encoding": "gzip"}
    body = json.dumps({"instances": [2.0]}).encode()
    answer = server.rest(f"{HALVES}:predict", gzip.compress(body), headers=headers)
    assert answer.json() == {"predictions": [4.0]}
    bomb = gzip.compress(b" " * (110 * MIB) + body)
    assert len(bomb) < MIB
    assert 400 <= server.rest(f"{HALVES}:predict", bomb, headers=headers).code < 500
    garbage = server.rest(f"{HALVES}:predict", b"no gzip", headers=headers)
    assert 400 <= garbage.code < 500
    assert predict(server, {"instances": [2.0]}).code == 200


def test_c57_no_cors_by_default(server):
    # The headers that --rest_api_enable_cors_support adds: test_c57_cors_when_asked_for.
    answer = server.rest(
        f"{HALVES}:predict", {"instances": [2.0]}, headers={"Origin": "http://example.org"}
    )
    assert answer.headers["Access-Control-Allow-Origin"] is None
    preflight = server.rest(f"{HALVES}:predict", method="OPTIONS")
    assert preflight.code == 400


@pytest.mark.parametrize("origin", ["http://example.org", "null", "http://localhost:9999"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_deviation_a_web_page_of_another_site_is_refused(server, origin, method):
    """A browser sends a page's plain POST to loopback without asking; the real server runs it."""
    headers = {"Origin": origin, "Content-Type": "text/plain"}
    if method == "POST":
        body = json.dumps({"instances": [2.0]}).encode()
        answer = server.rest(f"{HALVES}:predict", body, headers=headers)
    else:
        answer = server.rest(HALVES, headers=headers)
    assert f"pages of {origin} may not call" in error_of(answer, 403)
    own = {"Origin": f"http://{server.host}:{server.rest_port}"}
    assert server.rest(f"{HALVES}:predict", b'{"instances": [2.0]}', headers=own).code == 200


def test_deviation_a_name_that_points_to_loopback_is_refused(server):
    """A page whose own name has come to mean 127.0.0.1 calls without an Origin of another site."""
    for host in ("rebound.example.org", f"rebound.example.org:{server.rest_port}", "[::2]"):
        answer = server.rest(HALVES, headers={"Host": host})
        assert "is no name of this server" in error_of(answer, 403)
    for host in ("localhost", f"LocalHost:{server.rest_port}", "127.0.0.1", "[::1]:80"):
        assert server.rest(HALVES, headers={"Host": host}).code == 200, host


def test_c58_status_and_metadata_json(server):
    assert server.rest(f"{HALVES}/versions/2").json() == {
        "model_version_status": [
            {
                "version": "2",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    versions = server.rest(HALVES).json()["model_version_status"]
    assert [status["version"] for status in versions] == ["3", "2", "1"]
    metadata = server.rest(f"{HALVES}/metadata").json()
    assert metadata["model_spec"] == {
        "name": "half_plus_version",
        "signature_name": "",
        "version": "3",
    }
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    assert sorted(signatures) == ["__saved_model_init_op", "serving_default"]
    shape = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    default = signatures["serving_default"]
    assert default["inputs"] == {"x": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "x:0"}}
    assert default["outputs"]["y"]["name"] == "y:0"
    assert default["method_name"] == "tensorflow/serving/predict"
