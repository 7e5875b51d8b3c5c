import ml_dtypes
import numpy as np
import pytest

from emotion_faces.model_server import json_examples, json_request, json_response, servable, status
from emotion_faces.protos import input_pb2, types_pb2


def make_signature(**dtypes):
    inputs = {name: servable.TensorSpec(name, dtype, None) for name, dtype in dtypes.items()}
    return servable.Signature("s", "", inputs, {}, {})


FLOATS = make_signature(x=types_pb2.DT_FLOAT)
STRINGS = make_signature(x=types_pb2.DT_STRING)
TWO = make_signature(x=types_pb2.DT_FLOAT, y=types_pb2.DT_INT32)


def parse(body, signature=FLOATS):
    document = json_request.parse_object(body)
    return json_request.predict_arrays(document, body, signature)[0]


@pytest.mark.parametrize(
    ("body", "signature", "wanted"),
    [
        (b'{"instances": [1, 2.5]}', FLOATS, {"x": [1.0, 2.5]}),
        (b'{"instances": [[1], [2]]}', FLOATS, {"x": [[1.0], [2.0]]}),
        (b'{"inputs": 3}', FLOATS, {"x": 3.0}),
        (b'{"inputs": {"x": [1]}}  ', FLOATS, {"x": [1.0]}),
        (b'{"instances": [Infinity, -Infinity]}', FLOATS, {"x": [np.inf, -np.inf]}),
        (b'{"instances": [{"x": 1, "y": 2}]}', TWO, {"x": [1.0], "y": [2]}),
        (b'{"inputs": {"x": [1, 2], "y": 3}}', TWO, {"x": [1.0, 2.0], "y": 3}),
        (b'{"instances": ["a", {"b64": "AP8="}]}', STRINGS, {"x": [b"a", b"\x00\xff"]}),
        (b'{"instances": [{"b64": "AP8"}]}', STRINGS, {"x": [b"\x00\xff"]}),
    ],
)
def test_arrays(body, signature, wanted):
    arrays = parse(body, signature)
    assert {name: array.tolist() for name, array in arrays.items()} == wanted


@pytest.mark.parametrize(
    ("body", "signature", "message"),
    [
        (b"", FLOATS, "JSON Parse error: The document is empty"),
        (b"{", FLOATS, "JSON Parse error: .* at offset: 1"),
        (b'{"instances": [-' + b"9" * 5000 + b"]}", FLOATS, "Number too big to be stored"),
        (b'{"instances": [1e999]}', FLOATS, "Number too big to be stored"),
        (b"[1]", FLOATS, r"JSON Value: \[1\] Is not object"),
        (b'{"x": 1}', FLOATS, "Missing 'inputs' or 'instances' key"),
        (b'{"instances": 1}', FLOATS, "Expecting 'instances' to be an list/array"),
        (b'{"instances": []}', FLOATS, "No values in 'instances' array"),
        (b'{"instances": ["a"]}', FLOATS, '"a" Type: String is not of expected type: float'),
        (b'{"instances": [true]}', FLOATS, "Type: True is not of expected type: float"),
        (b'{"instances": [null]}', FLOATS, "Type: Null is not of expected type: float"),
        (b'{"instances": [16777217]}', FLOATS, "16777217 to float without loss of precision"),
        (b'{"instances": [1e39]}', FLOATS, "without loss of precision"),
        (
            b'{"instances": [[[1, 2, 3], [1, 2]]]}',
            FLOATS,
            "element: 0 of 'instances' list. Error: INVALID_ARGUMENT: Encountered list at "
            "unexpected size: 2 at level: 1 expected size: 3",
        ),
        (b'{"instances": [[1], [1, 2]]}', FLOATS, "Expecting tensor size: 1 but got: 2"),
        (b'{"instances": [{"x": 1}]}', TWO, "keys must be equal to: x,y"),
        (b'{"instances": [{"z": 1}]}', TWO, "does not have named input: z"),
        (b'{"instances": [{"x": 1.5, "y": 1.5}]}', TWO, "1.5 .* expected type: int32"),
        (b'{"inputs": {"x": 1}}', TWO, "Missing named input: y in 'inputs' object"),
        (b'{"instances": [{"b64": "*"}]}', STRINGS, "Unable to base64 decode"),
        (b'{"instances": [{"b64": "AP8="}]}', FLOATS, "Type: Object is not of expected"),
    ],
)
def test_refused(body, signature, message):
    with pytest.raises(status.StatusError, match=message):
        parse(body, signature)


def test_deep_nesting_is_refused():
    with pytest.raises(status.StatusError, match="nested too deep"):
        json_request.parse_object(b'{"instances": ' + b"[" * 100_000)


@pytest.mark.parametrize("signature", [FLOATS, STRINGS])
@pytest.mark.parametrize("depth", [33, 900, 1000])
def test_too_many_dimensions_are_refused(signature, depth):
    body = b'{"inputs": ' + b"[" * depth + b"1" + b"]" * depth + b"}"
    with pytest.raises(status.StatusError, match=r"dimensions|too deep"):
        parse(body, signature)


def test_long_values_are_not_echoed_whole():
    body = b'{"instances": ["' + b"a" * 1_000_000 + b'"]}'
    with pytest.raises(status.StatusError) as raised:
        parse(body)
    assert len(raised.value.message) < 70_000


@pytest.mark.parametrize(
    ("outputs", "row_format", "wanted"),
    [
        ({"y": np.array([0.1, 1.0], np.float32)}, "instances", b'{"predictions":[0.1,1.0]}'),
        ({"y": np.array([0.1], np.float32)}, "inputs", b'{"outputs":[0.1]}'),
        (
            {"y": np.array([np.nan, np.inf, -np.inf, 0.1], np.float32)},
            "inputs",
            b'{"outputs":[NaN,Infinity,-Infinity,0.1]}',
        ),
        (
            {"y": np.array([1], np.int64), "x_bytes": np.array([b"\x00\xff"], object)},
            "instances",
            b'{"predictions":[{"y":1,"x_bytes":{"b64":"AP8="}}]}',
        ),
        ({"y": np.array([b"\xff"], object)}, "inputs", b'{"outputs":["\xff"]}'),
        ({"y": np.array([0.5], ml_dtypes.bfloat16)}, "inputs", b'{"outputs":[0.5]}'),
    ],
)
def test_answers(outputs, row_format, wanted):
    assert json_response.predictions(outputs, row_format) == wanted


def test_rows_of_different_number_are_refused():
    with pytest.raises(status.StatusError, match="inconsistent batch size: 2 expecting: 1"):
        json_response.predictions({"a": np.zeros(1), "b": np.zeros(2)}, "instances")


def fill(document):
    examples = input_pb2.Input()
    json_examples.fill_input(document, examples)
    return examples


def test_examples():
    examples = fill({"context": {"c": 1}, "examples": [{"x": [0.5], "s": "a"}]})
    filled = examples.example_list_with_context
    assert list(filled.context.features.feature["c"].int64_list.value) == [1]
    assert list(filled.examples[0].features.feature["x"].float_list.value) == [0.5]
    assert list(filled.examples[0].features.feature["s"].bytes_list.value) == [b"a"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "key 'examples' is expected and was not found"),
        ({"examples": 1}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{"x": [1, 0.5]}]}, "Unexpected element type in feature: x .* int64"),
        ({"examples": [{"x": None}]}, "unexpected JSON type: Null"),
        ({"examples": [{"x": 2**64}]}, "Only int64 is supported"),
    ],
)
def test_refused_examples(document, message):
    with pytest.raises(status.StatusError, match=message):
        fill(document)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"a": 1} x', "The document root must not be followed by other values. at offset: 9"),
        (b' {"a": 1}}', "The document root must not be followed by other values. at offset: 9"),
        ('{"é": 1} x'.encode(), "The document root must not be followed by other values. at offset: 10"),
        (b"{", "Missing a name for object member. at offset: 1"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a": [1 2]}', "Missing a comma or ] after an array element. at offset: 9"),
        (b'{"[": 1 "b": 2}', "Missing a comma or } after an object member. at offset: 8"),
        (b'{"a": ?}', "Invalid value. at offset: 6"),
        (b'{"a": "\\q"}', "Invalid escape character in string. at offset: 7"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_json_is_said_as_rapidjson_says_it(body, said):
    with pytest.raises(status.StatusError) as error:
        json_request.parse_object(body)
    assert error.value.message == f"JSON Parse error: {said}"


def test_blanks_and_a_nul_may_follow_the_document():
    assert json_request.parse_object(b'{"a": NaN} \r\n\t').keys() == {"a"}
    assert json_request.parse_object(b'{"a": NaN}\0x').keys() == {"a"}
