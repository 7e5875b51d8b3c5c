import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIRST_THE_STUBS = """
import sys
from emotion_faces import client, protos
assert "tensorflow" not in sys.modules
assert "numpy" in sys.modules
"""
FIRST_THE_SERVER = """
import sys
from emotion_faces import protos
from emotion_faces.model_server import runtime
assert "tensorflow" not in sys.modules
assert not any(name.startswith(("keras", "tensorflow.python.keras")) for name in sys.modules)
"""
THEN_ALL_OF_IT = """
assert tf.errors.OpError is runtime.errors.OpError
assert tf.function(lambda x: 2 * x)(tf.constant(2.0)).numpy() == 4
assert tf.keras.Sequential([tf.keras.layers.Dense(2)])(tf.zeros([1, 3])).shape == (1, 2)
with runtime.Session(graph=runtime.Graph()) as session, session.graph.as_default():
    assert session.run(tf.constant(3)) == 3
"""
THEN_TENSORFLOW = """
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
assert isinstance(tf.make_tensor_proto([1.0]), protos.tensor_pb2.TensorProto)
assert predict_pb2.PredictRequest is protos.predict_pb2.PredictRequest
request = predict_pb2.PredictRequest()
request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
assert tf.make_ndarray(request.inputs["x"]).tolist() == [1.0]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        FIRST_THE_STUBS + THEN_TENSORFLOW,
        "import tensorflow\nfrom serving import protos\n" + THEN_TENSORFLOW,
        FIRST_THE_SERVER + THEN_TENSORFLOW + THEN_ALL_OF_IT,
    ],
    ids=["stubs_first", "tensorflow_first", "server_first"],
)
def test_stubs_and_tensorflow_share_their_classes(program):
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
