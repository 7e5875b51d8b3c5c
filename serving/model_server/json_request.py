"""Requests in JSON: parsing, and arrays by input alias, as TensorFlow Serving's REST takes them.

Whole numeric arrays go through numpy; whatever numpy would take too kindly (strings, booleans,
ragged lists, integers beyond a float's digits) goes through `_fill`, which words the errors.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from serving import tensors
from serving.model_server import inputs, servable, status
from serving.protos import types_pb2

ROW_FORMAT = "instances"
COLUMN_FORMAT = "inputs"

_LONGEST_ECHO = 256
_TOO_BIG = "JSON Parse error: Number too big to be stored in double."
_MOST_DIGITS = 308  # of a whole number that a double can hold
_MOST_DIMENSIONS = 32  # of an array in NumPy 1; NumPy 2 takes 64, and both are to answer the same
_TYPE_NAMES = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}
_FLOATS = {types_pb2.DT_FLOAT: ("float", 2**24 - 1), types_pb2.DT_DOUBLE: ("double", 2**53 - 1)}


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise status.invalid_argument(_TOO_BIG)
    return int(digits)


def _double(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise status.invalid_argument(_TOO_BIG)
    return value


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_double)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body begins with; takes NaN and Infinity, and does not read on.

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
        raise format_error(document, "Is not object")
    return document


def _parse_leniently(body: bytes) -> Any:
    text = body.decode("utf-8-sig", "surrogateescape").lstrip(" \t\r\n")
    try:
        document = _DECODER.raw_decode(text)[0]
        # Bytes that are not UTF-8, or half a surrogate pair, would fail wherever text leaves us.
        json.dumps(document, ensure_ascii=False).encode()
        return document
    except UnicodeEncodeError:
        raise status.invalid_argument("JSON Parse error: Invalid encoding in string.") from None
    except json.JSONDecodeError as error:
        raise status.invalid_argument(
            f"JSON Parse error: {error.msg} at offset: {error.pos}"
        ) from None
    except RecursionError:
        raise status.invalid_argument("JSON Parse error: nested too deep") from None


def signature_name(document: Mapping[str, Any]) -> str:
    """The signature that a request names; '' where it names none.

    Raises:
      StatusError: INVALID_ARGUMENT: it is no string.
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise format_error(
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
        raise format_error(
            document,
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        )
    # numpy takes true and false among numbers for 1 and 0.
    plain_numbers = b"true" not in body and b"false" not in body
    if ROW_FORMAT in document:
        rows = document[ROW_FORMAT]
        if not isinstance(rows, list):
            raise format_error(document, "Expecting 'instances' to be an list/array")
        if not rows:
            raise format_error(document, "No values in 'instances' array")
        return _from_rows(rows, signature, plain_numbers), ROW_FORMAT
    if COLUMN_FORMAT in document:
        value = document[COLUMN_FORMAT]
        return _from_columns(value, signature, plain_numbers), COLUMN_FORMAT
    raise status.invalid_argument("Missing 'inputs' or 'instances' key")


def _from_rows(
    rows: list[Any], signature: servable.Signature, plain_numbers: bool
) -> dict[str, np.ndarray]:
    specs = signature.inputs
    named = _is_named(rows[0])
    if not isinstance(rows[0], dict) and len(specs) > 1:
        raise status.invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    if not named:
        alias, spec = next(iter(specs.items()))
        if plain_numbers and (array := _numeric_array(rows, spec.dtype)) is not None:
            return {alias: array}
    columns: dict[str, list[np.ndarray]] = {alias: [] for alias in specs}
    for index, row in enumerate(rows):
        if _is_named(row) != named:
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
            f"{_shown(row)} keys must be equal to: {inputs.joined(specs)}"
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
        array = _to_array(item, specs[alias].dtype)
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
        raise status.StatusError(
            error.code, f"Failed to process {where} of 'instances' list. Error: {error}"
        ) from None
    columns[alias].append(array)


def _from_columns(
    value: Any, signature: servable.Signature, plain_numbers: bool
) -> dict[str, np.ndarray]:
    specs = signature.inputs
    if _is_named(value):
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
        array = _numeric_array(item, specs[alias].dtype) if plain_numbers else None
        arrays[alias] = _to_array(item, specs[alias].dtype) if array is None else array
    return arrays


def _numeric_array(value: Any, dtype: int) -> np.ndarray | None:
    """The array of nested lists of plain numbers; None where it takes a closer look."""
    target = tensors.numpy_dtype(dtype)
    if not isinstance(value, list) or dtype not in _FLOATS or target is None:
        return None
    try:
        array = np.array(value)
    except (ValueError, OverflowError):  # ragged, or an integer of more than 64 bits
        return None
    if array.dtype.kind not in "iuf" or not array.size or array.ndim > _MOST_DIMENSIONS:
        return None
    with np.errstate(invalid="ignore"):
        # NaN and infinities compare as False here and are taken as they are.
        if (np.abs(array[np.isfinite(array)]) > _FLOATS[dtype][1]).any():
            return None
    return array.astype(target)


def _to_array(value: Any, dtype: int) -> np.ndarray:
    target = tensors.numpy_dtype(dtype)
    if target is None or target.kind == "c" or dtype in (types_pb2.DT_HALF, types_pb2.DT_BFLOAT16):
        raise status.unimplemented(
            f"Conversion of JSON Value: {_shown(value)} to type: {tensors.dtype_name(dtype)}"
        )
    shape = _shape(value)
    if len(shape) > _MOST_DIMENSIONS:
        raise status.invalid_argument(
            f"the value has {len(shape)} dimensions; the most are {_MOST_DIMENSIONS}"
        )
    values: list[Any] = []
    _fill(value, 0, shape, dtype, values)
    array = np.empty(len(values), target)
    array[:] = values
    return array.reshape(shape)


def _shape(value: Any) -> tuple[int, ...]:
    sizes = []
    while isinstance(value, list):
        sizes.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(sizes)


def _fill(value: Any, level: int, shape: tuple[int, ...], dtype: int, values: list[Any]) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise status.invalid_argument(
                f"JSON Value: {_shown(value)} found at incorrect level: {level + 1} in the JSON "
                f"DOM. Expected at level: {len(shape)}"
            )
        values.append(_scalar(value, dtype))
        return
    if level >= len(shape):
        raise status.invalid_argument(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise status.invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    for item in value:
        _fill(item, level + 1, shape, dtype, values)


def _scalar(value: Any, dtype: int) -> Any:
    if dtype == types_pb2.DT_STRING:
        if isinstance(value, str):
            return value.encode("utf-8", "surrogateescape")
        if isinstance(value, dict):
            return decode_base64_object(value)
    elif dtype == types_pb2.DT_BOOL:
        if isinstance(value, bool):
            return value
    elif dtype in _FLOATS:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _float(value, dtype)
    elif isinstance(value, int) and not isinstance(value, bool):
        limits = np.iinfo(tensors.numpy_dtype(dtype))
        if limits.min <= value <= limits.max:
            return value
    raise status.invalid_argument(
        f"JSON Value: {_shown(value)} Type: {type_name(value)} is not of expected type: "
        f"{tensors.dtype_name(dtype)}"
    )


def _float(value: float, dtype: int) -> float:
    """A number as it is, where the dtype can hold it."""
    name, largest_integer = _FLOATS[dtype]
    if isinstance(value, int):
        lossless = abs(value) <= largest_integer
    else:
        largest = np.finfo(np.float32 if dtype == types_pb2.DT_FLOAT else np.float64).max
        lossless = not math.isfinite(value) or abs(value) <= float(largest)
    if not lossless:
        raise status.invalid_argument(
            f"Cannot convert JSON value: {_shown(value)} to {name} without loss of precision."
        )
    return value


def is_base64_object(value: Any) -> bool:
    """Whether a value is `{"b64": "..."}`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def decode_base64_object(value: Mapping[str, Any]) -> bytes:
    """The bytes of `{"b64": "..."}`; padding may be missing.

    Raises:
      StatusError: INVALID_ARGUMENT: another form, or no base64.
    """
    if not is_base64_object(value):
        raise status.invalid_argument(
            f"JSON Value: {_shown(value)} not formatted correctly for base64 data"
        )
    text = "".join(value["b64"].split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise status.invalid_argument("Unable to base64 decode") from None


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64_object(value)


def type_name(value: Any) -> str:
    """A JSON value's type, as error messages have it: `String`, `Null`."""
    if isinstance(value, bool):
        return str(value)
    return _TYPE_NAMES[type(value)]


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "(nested too deep to show)"
    return text if len(text) <= _LONGEST_ECHO else text[:_LONGEST_ECHO] + "..."


def format_error(value: Any, message: str) -> status.StatusError:
    """INVALID_ARGUMENT that shows a value and says what is wrong with it."""
    return status.invalid_argument(f"JSON Value: {_shown(value)} {message}")
