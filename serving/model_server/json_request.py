"""Requests in JSON: parsing, and arrays by input alias, as TensorFlow Serving's REST takes them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from emotion_faces.model_server import inputs, json_values, servable, status

ROW_FORMAT = "instances"
COLUMN_FORMAT = "inputs"

_TOO_BIG = "JSON Parse error: Number too big to be stored in double."
_MOST_DIGITS = 308  # of a whole number that a double can hold


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise status.invalid_argument(_TOO_BIG)
    return int(digits)


def _double(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise status.invalid_argument(_TOO_BIG)
    return value


_BLANKS = " \t\r\n"
_RAPIDJSON_TEXTS = {
    "Expecting property name": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting value": "Invalid value.",
    "Unterminated string": "Missing a closing quotation mark in string.",
    "Invalid control character": "Invalid encoding in string.",
    "Invalid \\uXXXX": "Incorrect hex digit after \\u escape in string.",
    "Invalid \\escape": "Invalid escape character in string.",
}
_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_double)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is; takes NaN and Infinity.

    Raises:
      StatusError: INVALID_ARGUMENT: no JSON, or no object.
    """
    if not body.strip(b" \t\r\n"):
        raise status.invalid_argument("JSON Parse error: The document is empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _parse_leniently(body)
    if not isinstance(document, dict):
        raise json_values.format_error(document, "Is not object")
    return document


def _parse_leniently(body: bytes) -> Any:
    text = body.decode("utf-8-sig", "surrogateescape")
    start = len(text) - len(text.lstrip(_BLANKS))
    try:
        document, end = _DECODER.raw_decode(text, start)
        # Bytes that are not UTF-8, or half a surrogate pair, would fail wherever text leaves us.
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise status.invalid_argument("JSON Parse error: Invalid encoding in string.") from None
    except json.JSONDecodeError as error:
        raise _parse_error(_rapidjson_text(error, text), text, body, error.pos) from None
    except RecursionError:
        raise status.invalid_argument("JSON Parse error: nested too deep") from None
    end = len(text) - len(text[end:].lstrip(_BLANKS))
    if end < len(text) and text[end] != "\0":  # RapidJSON takes a NUL for the end
        found = "The document root must not be followed by other values."
        raise _parse_error(found, text, body, end)
    return document


def _parse_error(found: str, text: str, body: bytes, position: int) -> status.StatusError:
    offset = len(body) - len(text[position:].encode("utf-8", "surrogateescape"))
    return status.invalid_argument(f"JSON Parse error: {found} at offset: {offset}")


def _rapidjson_text(error: json.JSONDecodeError, text: str) -> str:
    """What RapidJSON, TensorFlow Serving's parser, calls a fault that Python's parser found."""
    if error.msg.startswith("Expecting ',' delimiter"):
        return (
            "Missing a comma or ] after an array element."
            if _within_array(text[: error.pos])
            else "Missing a comma or } after an object member."
        )
    return next(
        (found for start, found in _RAPIDJSON_TEXTS.items() if error.msg.startswith(start)),
        error.msg,
    )


def _within_array(text: str) -> bool:
    open_brackets: list[str] = []
    for bracket in re.sub(r'"(?:[^"\\]|\\.)*"|[^][{}"]+', "", text):
        if bracket in "[{":
            open_brackets.append(bracket)
        elif open_brackets:
            open_brackets.pop()
    return open_brackets[-1:] == ["["]


def signature_name(document: Mapping[str, Any]) -> str:
    """The signature that a request names; '' where it names none.

    Raises:
      StatusError: INVALID_ARGUMENT: it is no string.
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise json_values.format_error(
            document, "not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def predict_arrays(
    document: Mapping[str, Any], body: bytes, signature: servable.Signature
) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of a predict request by input alias, and its format: `instances` or `inputs`.

    Raises:
      StatusError: INVALID_ARGUMENT as TensorFlow Serving words it; UNIMPLEMENTED for dtypes that
        JSON has no values for.
    """
    if ROW_FORMAT in document and COLUMN_FORMAT in document:
        raise json_values.format_error(
            document,
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        )
    # numpy takes true and false among numbers for 1 and 0.
    plain_numbers = b"true" not in body and b"false" not in body
    if ROW_FORMAT in document:
        rows = document[ROW_FORMAT]
        if not isinstance(rows, list):
            raise json_values.format_error(document, "Expecting 'instances' to be an list/array")
        if not rows:
            raise json_values.format_error(document, "No values in 'instances' array")
        return _from_rows(rows, signature, plain_numbers), ROW_FORMAT
    if COLUMN_FORMAT in document:
        value = document[COLUMN_FORMAT]
        return _from_columns(value, signature, plain_numbers), COLUMN_FORMAT
    raise status.invalid_argument("Missing 'inputs' or 'instances' key")


def _from_rows(
    rows: list[Any], signature: servable.Signature, plain_numbers: bool
) -> dict[str, np.ndarray]:
    specs = signature.inputs
    named = json_values.is_named(rows[0])
    if not isinstance(rows[0], dict) and len(specs) > 1:
        raise status.invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    if not named:
        alias, spec = next(iter(specs.items()))
        if plain_numbers and (array := json_values.numeric_array(rows, spec.dtype)) is not None:
            return {alias: array}
    columns: dict[str, list[np.ndarray]] = {alias: [] for alias in specs}
    for index, row in enumerate(rows):
        if json_values.is_named(row) != named:
            raise status.invalid_argument(
                f"Expecting object but got list at item {index} of input list"
                if named
                else f"Expecting value/list but got object at item {index} of input list"
            )
        if named:
            _add_named_row(row, index, specs, columns)
        else:
            _add_item(row, next(iter(specs)), specs, columns, f"element: {index}")
    return {alias: np.stack(items) for alias, items in columns.items()}


def _add_named_row(
    row: Mapping[str, Any],
    index: int,
    specs: Mapping[str, servable.TensorSpec],
    columns: Mapping[str, list[np.ndarray]],
) -> None:
    for alias, item in row.items():
        _add_item(item, alias, specs, columns, f"element: {index} key: {alias}")
    if set(row) != set(specs):
        raise status.invalid_argument(
            f"Failed to process element: {index} of 'instances' list. JSON object: "
            f"{json_values.shown(row)} keys must be equal to: {inputs.joined(specs)}"
        )


def _add_item(
    item: Any,
    alias: str,
    specs: Mapping[str, servable.TensorSpec],
    columns: Mapping[str, list[np.ndarray]],
    where: str,
) -> None:
    try:
        if alias not in specs:
            raise status.invalid_argument(f"JSON object: does not have named input: {alias}")
        array = json_values.to_array(item, specs[alias].dtype)
        if columns[alias] and columns[alias][0].size != array.size:
            raise status.invalid_argument(
                f"Expecting tensor size: {columns[alias][0].size} but got: {array.size}"
            )
        if columns[alias] and columns[alias][0].shape != array.shape:
            raise status.invalid_argument(
                f"Expecting shape {servable.describe_shape(columns[alias][0].shape)} "
                f"but got: {servable.describe_shape(array.shape)}"
            )
    except status.StatusError as error:
        # TensorFlow Serving makes every error of a row this one, even UNIMPLEMENTED.
        raise status.invalid_argument(
            f"Failed to process {where} of 'instances' list. Error: {error}"
        ) from None
    columns[alias].append(array)


def _from_columns(
    value: Any, signature: servable.Signature, plain_numbers: bool
) -> dict[str, np.ndarray]:
    specs = signature.inputs
    if json_values.is_named(value):
        missing = next((alias for alias in specs if alias not in value), None)
        if missing is not None:
            raise status.invalid_argument(f"Missing named input: {missing} in 'inputs' object.")
        items = {alias: value[alias] for alias in specs}
    elif len(specs) > 1:
        raise status.invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple input tensors "
            "required as per tensorinfo_map"
        )
    else:
        items = {next(iter(specs)): value}
    arrays = {}
    for alias, item in items.items():
        array = json_values.numeric_array(item, specs[alias].dtype) if plain_numbers else None
        arrays[alias] = json_values.to_array(item, specs[alias].dtype) if array is None else array
    return arrays
