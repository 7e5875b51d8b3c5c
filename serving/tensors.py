"""TensorProto to numpy array and back, without TensorFlow.

Strings are arrays of dtype object that hold `bytes`, as TensorFlow's own session takes and gives.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import ml_dtypes
import numpy as np

from emotion_faces.protos import tensor_pb2, tensor_shape_pb2, types_pb2

MAX_EXPANDED_BYTES = 64 * 1024 * 1024
"""Largest array made from fewer values than its shape has elements, its strings counted.

A TensorProto may hold one value for any number of elements, so that a few bytes would take up all
memory. TensorFlow Serving has no such limit.
"""

_VALUES_AT_A_TIME = 65536


class ExpansionError(ValueError):
    """A TensorProto states more elements than it may without holding them."""


@dataclasses.dataclass(frozen=True)
class DType:
    """One TensorFlow dtype: its numpy dtype, the TensorProto field of its values, its name."""

    numpy: np.dtype
    field: str
    name: str
    stored_as: np.dtype | None = None  # where the field holds the bits and not the value


_DTYPES: dict[int, DType] = {
    types_pb2.DT_FLOAT: DType(np.dtype(np.float32), "float_val", "float"),
    types_pb2.DT_DOUBLE: DType(np.dtype(np.float64), "double_val", "double"),
    types_pb2.DT_INT8: DType(np.dtype(np.int8), "int_val", "int8"),
    types_pb2.DT_INT16: DType(np.dtype(np.int16), "int_val", "int16"),
    types_pb2.DT_INT32: DType(np.dtype(np.int32), "int_val", "int32"),
    types_pb2.DT_INT64: DType(np.dtype(np.int64), "int64_val", "int64"),
    types_pb2.DT_UINT8: DType(np.dtype(np.uint8), "int_val", "uint8"),
    types_pb2.DT_UINT16: DType(np.dtype(np.uint16), "int_val", "uint16"),
    types_pb2.DT_UINT32: DType(np.dtype(np.uint32), "uint32_val", "uint32"),
    types_pb2.DT_UINT64: DType(np.dtype(np.uint64), "uint64_val", "uint64"),
    types_pb2.DT_BOOL: DType(np.dtype(np.bool_), "bool_val", "bool"),
    types_pb2.DT_STRING: DType(np.dtype(object), "string_val", "string"),
    types_pb2.DT_HALF: DType(np.dtype(np.float16), "half_val", "half", np.dtype(np.uint16)),
    types_pb2.DT_BFLOAT16: DType(
        np.dtype(ml_dtypes.bfloat16), "half_val", "bfloat16", np.dtype(np.uint16)
    ),
    types_pb2.DT_COMPLEX64: DType(
        np.dtype(np.complex64), "scomplex_val", "complex64", np.dtype(np.float32)
    ),
    types_pb2.DT_COMPLEX128: DType(
        np.dtype(np.complex128), "dcomplex_val", "complex128", np.dtype(np.float64)
    ),
}
_ENUM_OF_NUMPY = {dtype.numpy: enum for enum, dtype in _DTYPES.items()}


def dtype_name(enum: int) -> str:
    """TensorFlow's short name of a DataType, as its error messages have it: `float`, `string`."""
    if enum in _DTYPES:
        return _DTYPES[enum].name
    if enum in types_pb2.DataType.values():
        return types_pb2.DataType.Name(enum).removeprefix("DT_").lower()
    return f"unknown dtype enum ({enum})"


def numpy_dtype(enum: int) -> np.dtype | None:
    """The numpy dtype of a DataType; None where the dtype is not supported."""
    dtype = _DTYPES.get(enum)
    return dtype.numpy if dtype else None


def enum_of(array: np.ndarray) -> int:
    """The DataType of an array; arrays of dtype object are strings.

    Raises:
      ValueError: The array's dtype is none of TensorFlow's.
    """
    enum = _ENUM_OF_NUMPY.get(array.dtype)
    if enum is None:
        raise ValueError(f"an array of dtype {array.dtype} has no TensorFlow dtype")
    return enum


def to_array(proto: Any) -> np.ndarray:
    """The array that a TensorProto stands for; read-only where it shares the message's bytes.

    Fewer values than elements: the last one is repeated, as TensorFlow does (zeros where there is
    none).

    Raises:
      ExpansionError: The repeated values would take more than MAX_EXPANDED_BYTES.
      ValueError: Unsupported dtype, unknown or negative dimensions, or values that do not fit.
    """
    dtype = _DTYPES.get(proto.dtype)
    if dtype is None:
        raise ValueError(f"unsupported dtype {dtype_name(proto.dtype)}")
    if proto.tensor_shape.unknown_rank:
        raise ValueError("the shape's rank is unknown")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if any(size < 0 for size in shape):
        raise ValueError(f"the shape {shape} has a negative dimension")
    size = math.prod(shape)
    if proto.tensor_content:
        return _from_content(proto.tensor_content, dtype, shape, size)
    values = getattr(proto, dtype.field)
    if dtype.numpy.kind == "O":
        array = np.empty(len(values), object)
        array[:] = values
    elif dtype.stored_as is None:
        array = np.fromiter(values, dtype.numpy.newbyteorder("="), len(values))
    else:
        array = np.fromiter(values, dtype.stored_as, len(values))
        if array.nbytes % dtype.numpy.itemsize:
            raise ValueError(f"{len(values)} values are not whole elements")
        array = array.view(dtype.numpy)
    return _expanded(array, dtype, size).reshape(shape)


def _from_content(content: bytes, dtype: DType, shape: tuple[int, ...], size: int) -> np.ndarray:
    if dtype.numpy.kind == "O":
        raise ValueError("strings in tensor_content are not supported")
    if len(content) != size * dtype.numpy.itemsize:
        raise ValueError(
            f"tensor_content has {len(content)} bytes, the shape {shape} takes "
            f"{size * dtype.numpy.itemsize}"
        )
    return np.frombuffer(content, dtype.numpy).reshape(shape)


def _expanded(array: np.ndarray, dtype: DType, size: int) -> np.ndarray:
    if len(array) == size:
        return array
    if len(array) > size:
        raise ValueError(f"{len(array)} values for {size} elements")
    fill = array[-1] if len(array) else (b"" if dtype.numpy.kind == "O" else dtype.numpy.type(0))
    each = dtype.numpy.itemsize + (len(fill) if dtype.numpy.kind == "O" else 0)
    if size * each > MAX_EXPANDED_BYTES:
        raise ExpansionError(
            f"{len(array)} values for {size} elements would expand to {size * each} bytes; the "
            f"limit is {MAX_EXPANDED_BYTES}: send the elements themselves"
        )
    expanded = np.full(size, fill, dtype.numpy)
    expanded[: len(array)] = array
    return expanded


def to_proto(array: np.ndarray, *, as_content: bool = False) -> Any:
    """The TensorProto of an array.

    Args:
      array: Of one of TensorFlow's dtypes; strings as dtype object of bytes.
      as_content: Pack the values into `tensor_content` where the dtype allows it, else list them.
    """
    enum = enum_of(array)
    dtype = _DTYPES[enum]
    proto = tensor_pb2.TensorProto(
        dtype=enum,
        tensor_shape=tensor_shape_pb2.TensorShapeProto(
            dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in array.shape]
        ),
    )
    if as_content and dtype.numpy.kind != "O":
        proto.tensor_content = array.tobytes()
        return proto
    values = array.ravel()
    if dtype.stored_as is not None:
        values = values.view(dtype.stored_as)
    field = getattr(proto, dtype.field)
    # A Python number takes eight times a float's bytes: never all of them at once.
    for start in range(0, values.size, _VALUES_AT_A_TIME):
        field.extend(values[start : start + _VALUES_AT_A_TIME].tolist())
    return proto
