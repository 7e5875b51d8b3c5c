"""Values in JSON: arrays of a dtype, base64 objects, and the errors that show a value.

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

from emotion_faces import tensors
from emotion_faces.model_server import status
from emotion_faces.protos import types_pb2

_LONGEST_ECHO = 64 * 1024
"""Longest value in an error message. Deviation: TensorFlow Serving sends back all of it."""
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


def numeric_array(value: Any, dtype: int) -> np.ndarray | None:
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


def to_array(value: Any, dtype: int) -> np.ndarray:
    """The array of a value or of nested lists.

    Raises:
      StatusError: INVALID_ARGUMENT: ragged, or a value that the dtype can't hold; UNIMPLEMENTED: a
        dtype that JSON has no values for.
    """
    target = tensors.numpy_dtype(dtype)
    if target is None or target.kind == "c" or dtype in (types_pb2.DT_HALF, types_pb2.DT_BFLOAT16):
        raise status.unimplemented(
            f"Conversion of JSON Value: {shown(_first_leaf(value))} to type: "
            f"{tensors.dtype_name(dtype)}"
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


def _first_leaf(value: Any) -> Any:
    while isinstance(value, list) and value:
        value = value[0]
    return value


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
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON "
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
        f"JSON Value: {shown(value)} Type: {type_name(value)} is not of expected type: "
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
            f"Cannot convert JSON value: {shown(value)} to {name} without loss of precision."
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
            f"JSON Value: {shown(value)} not formatted correctly for base64 data"
        )
    text = "".join(value["b64"].split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise status.invalid_argument("Unable to base64 decode") from None


def is_named(value: Any) -> bool:
    """Whether a value is an object of inputs by name."""
    return isinstance(value, dict) and not is_base64_object(value)


def type_name(value: Any) -> str:
    """A JSON value's type, as error messages have it: `String`, `Null`."""
    if isinstance(value, bool):
        return str(value)
    return _TYPE_NAMES[type(value)]


def shown(value: Any) -> str:
    """A value as error messages echo it: its JSON without blanks, cut where it is very long."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return "(nested too deep to show)"
    return text if len(text) <= _LONGEST_ECHO else text[:_LONGEST_ECHO] + "..."


def format_error(value: Any, message: str) -> status.StatusError:
    """INVALID_ARGUMENT that shows a value and says what is wrong with it."""
    return status.invalid_argument(f"JSON Value: {shown(value)} {message}")
