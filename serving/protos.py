"""TensorFlow Serving's messages and stubs, without importing TensorFlow.

The modules of tensorflow-serving-api import `tensorflow.core.*_pb2`, which import nothing but each
other and protobuf; yet Python runs `tensorflow/__init__.py` on the way to them, which takes
seconds. `without_tensorflow` lets an empty package stand in for `tensorflow` meanwhile and takes
it away again, so that a later `import tensorflow` is the real one. The message modules themselves
are TensorFlow's own and stay, so that both use the same classes.

Where tensorflow-serving-api is not installed, what a client needs comes from `emotion_faces.messages`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import types
from collections.abc import Iterator

from emotion_faces.errors import UserError

_PARENT = "tensorflow"


@contextlib.contextmanager
def without_tensorflow() -> Iterator[None]:
    """Makes `tensorflow.core` importable alone, unless TensorFlow is imported already.

    Raises:
      UserError: TensorFlow is not installed.
    """
    if _PARENT in sys.modules:
        yield
        return
    spec = importlib.util.find_spec(_PARENT)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "The messages of TensorFlow Serving need the packages tensorflow-serving-api and "
            "tensorflow, and tensorflow is not installed: pip install tensorflow-serving-api"
        )
    stand_in = types.ModuleType(_PARENT)
    stand_in.__path__ = list(spec.submodule_search_locations)
    sys.modules[_PARENT] = stand_in
    try:
        yield
    finally:
        del sys.modules[_PARENT]


if importlib.util.find_spec("tensorflow_serving") is not None:
    with without_tensorflow():
        from tensorflow.core.example import example_pb2
        from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
        from tensorflow.core.protobuf import error_codes_pb2, meta_graph_pb2, saved_model_pb2
        from tensorflow_serving.apis import (
            classification_pb2,
            get_model_metadata_pb2,
            get_model_status_pb2,
            inference_pb2,
            input_pb2,
            model_management_pb2,
            model_pb2,
            model_service_pb2_grpc,
            predict_pb2,
            prediction_log_pb2,
            prediction_service_pb2_grpc,
            regression_pb2,
            status_pb2,
        )
        from tensorflow_serving.config import (
            file_system_storage_path_source_pb2,
            model_server_config_pb2,
        )
else:  # a client alone, as the distribution `emotion-faces` installs it
    from emotion_faces import messages

    globals().update(messages.load())

__all__ = [
    "classification_pb2",
    "error_codes_pb2",
    "example_pb2",
    "file_system_storage_path_source_pb2",
    "get_model_metadata_pb2",
    "get_model_status_pb2",
    "inference_pb2",
    "input_pb2",
    "meta_graph_pb2",
    "model_management_pb2",
    "model_pb2",
    "model_server_config_pb2",
    "model_service_pb2_grpc",
    "predict_pb2",
    "prediction_log_pb2",
    "prediction_service_pb2_grpc",
    "regression_pb2",
    "saved_model_pb2",
    "status_pb2",
    "tensor_pb2",
    "tensor_shape_pb2",
    "types_pb2",
]
