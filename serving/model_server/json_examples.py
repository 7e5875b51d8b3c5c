"""Classify and Regress in JSON: tf.Examples out of objects, results into lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emotion_faces.model_server import json_response, json_values, status
from emotion_faces.protos import classification_pb2, example_pb2, input_pb2, regression_pb2

_RESULTS = "results"
_LARGEST_FLOAT = 3.4028234663852886e38
_LARGEST_INTEGER = 2**63 - 1


def fill_input(document: Mapping[str, Any], examples: input_pb2.Input) -> None:
    """Puts a request's `examples`, and its `context` if it has one, into an Input.

    Raises:
      StatusError: INVALID_ARGUMENT, as TensorFlow Serving words it.
    """
    items = document.get("examples")
    if "examples" not in document:
        raise json_values.format_error(
            document, "When method is classify, key 'examples' is expected and was not found"
        )
    if not isinstance(items, list):
        raise json_values.format_error(document, "Expecting 'examples' value to be an list/array")
    if not items:
        raise json_values.format_error(document, "'examples' value is an empty array")
    if "context" in document:
        target = examples.example_list_with_context
        _fill_example(document["context"], target.context)
        # A context without features must still make the Input one with a context.
        target.context.SetInParent()
    else:
        target = examples.example_list
    for item in items:
        _fill_example(item, target.examples.add())


def _fill_example(item: Any, example: example_pb2.Example) -> None:
    if not isinstance(item, dict):
        raise status.invalid_argument(
            f"Example must be JSON object but got JSON {json_values.type_name(item)}"
        )
    for name, content in item.items():
        feature = example.features.feature[name]
        for value in content if isinstance(content, list) else [content]:
            _add_value(value, name, feature)


def _add_value(value: Any, name: str, feature: Any) -> None:
    added: int | float | bytes
    if isinstance(value, bool):
        kind, added = "int64_list", int(value)
    elif isinstance(value, int):
        if abs(value) > _LARGEST_INTEGER:
            raise status.invalid_argument(
                f"Feature: {name} has uint64 element. Only int64 is supported."
            )
        kind, added = "int64_list", value
    elif isinstance(value, float):
        if abs(value) > _LARGEST_FLOAT and abs(value) != float("inf"):
            raise status.invalid_argument(
                f"Cannot convert JSON value: {value} to float without loss of precision."
            )
        kind, added = "float_list", value
    elif isinstance(value, str):
        kind, added = "bytes_list", value.encode("utf-8", "surrogateescape")
    elif json_values.is_base64_object(value):
        kind, added = "bytes_list", json_values.decode_base64_object(value)
    else:
        raise status.invalid_argument(
            f"Feature: {name} has element with unexpected JSON type: {json_values.type_name(value)}"
        )
    found = feature.WhichOneof("kind")
    if found not in (None, kind):
        raise status.invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: "
            f"{found.removesuffix('_list')}"
        )
    getattr(feature, kind).value.append(added)


def classification_json(result: classification_pb2.ClassificationResult) -> bytes:
    """The body of a classify answer: [label, score] pairs, by example."""
    return json_response.dumps(
        {
            _RESULTS: [
                [[entry.label, json_response.float32(entry.score)] for entry in row.classes]
                for row in result.classifications
            ]
        }
    )


def regression_json(result: regression_pb2.RegressionResult) -> bytes:
    """The body of a regress answer: a value by example."""
    values = [json_response.float32(entry.value) for entry in result.regressions]
    return json_response.dumps({_RESULTS: values})
