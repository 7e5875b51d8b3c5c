"""The messages that stand in for TensorFlow Serving's packages, against these packages' own."""

import subprocess
import sys

import pytest

from emotion_faces import messages, protos


@pytest.fixture(scope="module")
def stand_in():
    return messages.load()


def test_the_bytes_are_the_same_both_ways(stand_in):
    def request(modules):
        made = modules["predict_pb2"].PredictRequest(
            model_spec=modules["model_pb2"].ModelSpec(name="emotion", signature_name="pixels")
        )
        shape = modules["tensor_shape_pb2"].TensorShapeProto
        made.inputs["pixels"].CopyFrom(
            modules["tensor_pb2"].TensorProto(
                dtype=modules["types_pb2"].DT_FLOAT,
                tensor_shape=shape(dim=[shape.Dim(size=2)]),
                tensor_content=b"12345678",
            )
        )
        return made

    own, theirs = request(stand_in), request(vars(protos))
    assert own.SerializeToString() == theirs.SerializeToString()
    read = stand_in["predict_pb2"].PredictRequest.FromString(theirs.SerializeToString())
    assert read == own


def test_names_and_numbers_are_the_same(stand_in):
    theirs, own = protos.types_pb2.DataType, stand_in["types_pb2"].DataType
    assert {number: own.Name(number) for number in own.values()}.items() <= {
        number: theirs.Name(number) for number in theirs.values()
    }.items()
    state = stand_in["get_model_status_pb2"].ModelVersionStatus.State
    assert state.Name(30) == "AVAILABLE"


def test_a_client_alone_asks_a_server(emotion_server):
    code = f"""
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.startswith("tensorflow") else found(name, *rest)
import numpy as np
from emotion_faces.client import EmotionClient
with EmotionClient({emotion_server!r}) as client:
    version = client.wait_until_ready()
    [answer] = client.predict_pixels(np.zeros((1, 48, 48, 1), np.float32))
    assert answer.model_version == version == client.metadata().version
    assert client.metadata().signatures["pixels"].inputs["pixels"].shape == (None, 48, 48, 1)
print([name for name in sys.modules if name.startswith("tensorflow")])
import tensorflow.core.framework.tensor_pb2
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
