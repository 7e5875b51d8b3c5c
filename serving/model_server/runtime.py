"""The parts of TensorFlow that a server needs: its session, its loader, its errors.

`import tensorflow` takes 25 s of CPU on a busy machine and 280 MiB, of which a server that only runs
graphs uses little: Keras, datasets and eager execution stay out. A later `import tensorflow` in the
same process gets the whole of it, with the same classes (see `emotion_faces.protos`).
"""

from __future__ import annotations

import os
import pathlib

from emotion_faces.model_server import memory
from emotion_faces.protos import without_tensorflow
from emotion_faces.stderr_log import stderr_to

memory.choose_allocator()  # TensorFlow reads it as it starts
# Whatever its log level, TensorFlow calls it an error that it has linked CUDA's plug-ins twice.
with stderr_to(pathlib.Path(os.devnull)), without_tensorflow():
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.python.client import pywrap_tf_session as tf_session
    from tensorflow.python.client.session import Session
    from tensorflow.python.framework import errors
    from tensorflow.python.framework.ops import Graph
    from tensorflow.python.lib.io.tf_record import tf_record_iterator
    from tensorflow.python.saved_model import loader

__all__ = [
    "Graph",
    "Session",
    "config_pb2",
    "errors",
    "loader",
    "tf_record_iterator",
    "tf_session",
]
