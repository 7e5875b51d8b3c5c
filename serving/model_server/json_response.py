"""Answers in JSON, as TensorFlow Serving's REST writes them.

Floats have the shortest text that reads back to the same float32, `1.0` for whole ones, and NaN,
Infinity and -Infinity bare. orjson writes all but these three.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import orjson

from emotion_faces.model_server import json_request, status

_BYTES_SUFFIX = "_bytes"


def predictions(outputs: Mapping[str, np.ndarray], request_format: str) -> bytes:
    """The body of a predict answer, in the format of its request.

    Raises:
      StatusError: INVALID_ARGUMENT: outputs that can't be put in rows, or of a dtype that JSON has
        no values for.
    """
    if request_format == json_request.COLUMN_FORMAT:
        values = {alias: _plain(alias, array) for alias, array in outputs.items()}
        return dumps({"outputs": values if len(values) > 1 else next(iter(values.values()))})
    _check_rows(outputs)
    if len(outputs) == 1:
        alias, array = next(iter(outputs.items()))
        return dumps({"predictions": _plain(alias, array)})
    rows = [
        {alias: _plain(alias, array[row]) for alias, array in outputs.items()}
        for row in range(len(next(iter(outputs.values()))))
    ]
    return dumps({"predictions": rows})


def dumps(value: Any) -> bytes:
    """JSON of plain values and numeric arrays."""
    if not _all_finite(value):
        return _dumps_slowly(value)
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError:  # text that is not UTF-8, or a kind of array it does not know
        return _dumps_slowly(value)


def float32(value: float) -> np.float32:
    """A number that is written as a float32."""
    return np.float32(value)


def _check_rows(outputs: Mapping[str, np.ndarray]) -> None:
    rows = None
    for alias, array in outputs.items():
        if not array.ndim:
            raise status.invalid_argument(f"Tensor name: {alias} has no shape information ")
        if rows is not None and len(array) != rows:
            raise status.invalid_argument(
                f"Tensor name: {alias} has inconsistent batch size: {len(array)} expecting: {rows}"
            )
        rows = len(array)


def _plain(alias: str, array: np.ndarray) -> Any:
    array = np.asarray(array) if not isinstance(array, bytes) else np.array(array, object)
    if array.dtype == object:
        return _strings(array.tolist(), alias.endswith(_BYTES_SUFFIX))
    if array.dtype in (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)):
        array = array.astype(np.float32)
    if array.dtype.kind == "c":
        raise status.invalid_argument(
            f"Failed to write JSON value for tensor type: {array.dtype.name}"
        )
    return np.ascontiguousarray(array) if array.ndim else array[()]


def _strings(value: Any, as_bytes: bool) -> Any:
    if isinstance(value, list):
        return [_strings(item, as_bytes) for item in value]
    if as_bytes:
        return {"b64": base64.b64encode(value).decode()}
    return value.decode("utf-8", "surrogateescape")


def _all_finite(value: Any) -> bool:
    if isinstance(value, np.ndarray | np.floating):
        return value.dtype.kind != "f" or bool(np.isfinite(value).all())
    if isinstance(value, dict):
        return all(_all_finite(item) for item in value.values())
    if isinstance(value, list):
        return all(_all_finite(item) for item in value)
    return True


def _dumps_slowly(value: Any) -> bytes:
    return _text(value).encode("utf-8", "surrogateescape")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        items = (f"{json.dumps(key)}:{_text(item)}" for key, item in value.items())
        return "{" + ",".join(items) + "}"
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim):
        return "[" + ",".join(_text(item) for item in value) + "]"
    if isinstance(value, np.floating):
        if np.isnan(value):
            return "NaN"
        if np.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return str(value)
    if isinstance(value, np.generic | np.ndarray):
        value = value.item()
    return json.dumps(value, ensure_ascii=False)
