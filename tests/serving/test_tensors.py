import ml_dtypes
import numpy as np
import pytest

from emotion_faces import tensors
from emotion_faces.protos import tensor_pb2, types_pb2


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize(
    "array",
    [
        np.array([[0.5, -1.5]], np.float32),
        np.array(3, np.int64),
        np.array([1, 255], np.uint8),
        np.array([True, False]),
        np.array([0.5, 2.0], np.float16),
        np.array([0.5, 2.0], ml_dtypes.bfloat16),
        np.array([1 + 2j], np.complex64),
        np.array([b"a", b"\x00\xff"], object),
        np.empty((0, 7), np.float32),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_round_trip(array, as_content):
    found = tensors.to_array(tensors.to_proto(array, as_content=as_content))
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tolist() == array.tolist()


def make_proto(dtype, shape, **values):
    proto = tensor_pb2.TensorProto(dtype=dtype, **values)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def test_last_value_is_repeated():
    proto = make_proto(types_pb2.DT_FLOAT, [4], float_val=[1.0, 2.0])
    assert tensors.to_array(proto).tolist() == [1.0, 2.0, 2.0, 2.0]


def test_no_values_are_zeros():
    assert tensors.to_array(make_proto(types_pb2.DT_INT32, [2])).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (make_proto(types_pb2.DT_FLOAT, [2], tensor_content=b"12345"), "5 bytes"),
        (make_proto(types_pb2.DT_FLOAT, [1], float_val=[1.0, 2.0]), "2 values for 1 elements"),
        (make_proto(types_pb2.DT_FLOAT, [-1], float_val=[1.0]), "negative dimension"),
        (make_proto(types_pb2.DT_FLOAT, [10**6, 10**6], float_val=[1.0]), "the limit is"),
        (make_proto(types_pb2.DT_RESOURCE, [1]), "unsupported dtype resource"),
    ],
)
def test_malformed(proto, message):
    with pytest.raises(ValueError, match=message):
        tensors.to_array(proto)
