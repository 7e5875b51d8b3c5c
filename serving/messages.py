"""TensorFlow Serving's messages where none of its packages is installed: those that a client needs.

`messages.binpb` is a FileDescriptorSet of TensorFlow's and TensorFlow Serving's own descriptions (Apache-2.0),
as `requirements/serving_messages.py` takes them from the installed packages. They are kept out of protobuf's
common pool, so that TensorFlow may be imported later in the same process.
"""

from __future__ import annotations

import pathlib
import types
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import enum_type_wrapper

FILE = pathlib.Path(__file__).with_name("messages.binpb")

MODULES = {
    "get_model_metadata_pb2": "tensorflow_serving/apis/get_model_metadata.proto",
    "get_model_status_pb2": "tensorflow_serving/apis/get_model_status.proto",
    "model_pb2": "tensorflow_serving/apis/model.proto",
    "predict_pb2": "tensorflow_serving/apis/predict.proto",
    "tensor_pb2": "tensorflow/core/framework/tensor.proto",
    "tensor_shape_pb2": "tensorflow/core/framework/tensor_shape.proto",
    "types_pb2": "tensorflow/core/framework/types.proto",
}
"""The generated modules that are stood in for, and the files they are of."""


def load() -> dict[str, Any]:
    """Returns what `emotion_faces.protos` takes from the packages, as far as a client needs it, by name."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(FILE.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    found: dict[str, Any] = {name: _module(pool, path) for name, path in MODULES.items()}
    found["prediction_service_pb2_grpc"] = types.SimpleNamespace(
        PredictionServiceStub=_stub(
            "PredictionService",
            Predict=_pair(found["predict_pb2"], "Predict"),
            GetModelMetadata=_pair(found["get_model_metadata_pb2"], "GetModelMetadata"),
        )
    )
    found["model_service_pb2_grpc"] = types.SimpleNamespace(
        ModelServiceStub=_stub(
            "ModelService", GetModelStatus=_pair(found["get_model_status_pb2"], "GetModelStatus")
        )
    )
    return found


def _module(pool: descriptor_pool.DescriptorPool, path: str) -> types.SimpleNamespace:
    file = pool.FindFileByName(path)
    members: dict[str, Any] = {
        name: _message_class(pool, message) for name, message in file.message_types_by_name.items()
    }
    for name, enum in file.enum_types_by_name.items():
        members[name] = enum_type_wrapper.EnumTypeWrapper(enum)
        members |= {value.name: value.number for value in enum.values}
    return types.SimpleNamespace(**members)


def _message_class(pool: descriptor_pool.DescriptorPool, message: Any) -> Any:
    make = getattr(message_factory, "GetMessageClass", None)
    if make is not None:
        return make(message)
    # Before protobuf 4.22, which TFX 1.16 comes with; its classes lack those within them.
    found = message_factory.MessageFactory(pool).GetPrototype(message)
    for nested in message.nested_types:
        setattr(found, nested.name, _message_class(pool, nested))
    return found


def _pair(module: Any, call: str) -> tuple[Any, Any]:
    return getattr(module, f"{call}Request"), getattr(module, f"{call}Response")


def _stub(service: str, **calls: tuple[Any, Any]) -> type:
    def open_on(self: Any, channel: Any) -> None:
        for name, (request, response) in calls.items():
            call = channel.unary_unary(
                f"/tensorflow.serving.{service}/{name}",
                request_serializer=request.SerializeToString,
                response_deserializer=response.FromString,
            )
            setattr(self, name, call)

    return type(f"{service}Stub", (), {"__init__": open_on})
