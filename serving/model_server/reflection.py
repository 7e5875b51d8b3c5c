"""gRPC server reflection, so that grpcurl and its like need no protos.

TensorFlow Serving has it since 2.16. The descriptors of its two services are made here from their
methods: the stubs' own modules of them cannot be imported beside every protobuf that the messages can.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from emotion_faces.protos import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

_PACKAGE = "tensorflow.serving"
# Each service with its methods, and of each the module, the request and the answer.
_SERVICES: dict[str, dict[str, tuple[Any, str, str]]] = {
    "PredictionService": {
        "Classify": (classification_pb2, "ClassificationRequest", "ClassificationResponse"),
        "Regress": (regression_pb2, "RegressionRequest", "RegressionResponse"),
        "Predict": (predict_pb2, "PredictRequest", "PredictResponse"),
        "MultiInference": (inference_pb2, "MultiInferenceRequest", "MultiInferenceResponse"),
        "GetModelMetadata": (
            get_model_metadata_pb2,
            "GetModelMetadataRequest",
            "GetModelMetadataResponse",
        ),
    },
    "ModelService": {
        "GetModelStatus": (
            get_model_status_pb2,
            "GetModelStatusRequest",
            "GetModelStatusResponse",
        ),
        "HandleReloadConfigRequest": (
            model_management_pb2,
            "ReloadConfigRequest",
            "ReloadConfigResponse",
        ),
    },
}


def add_reflection(server: Any, health_service: bool) -> None:
    """Registers reflection of the services that a gRPC server has, and of itself.

    Args:
      server: A grpc.Server.
      health_service: Whether it has grpc.health.v1.Health.
    """
    names = [f"{_PACKAGE}.{service}" for service in _SERVICES]
    if health_service:
        names.append(health.SERVICE_NAME)
    names.append(reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server, pool=_pool())


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()

    def add(descriptor: Any) -> None:
        if descriptor.name in added:
            return
        added.add(descriptor.name)
        for dependency in descriptor.dependencies:
            add(dependency)
        pool.AddSerializedFile(descriptor.serialized_pb)

    add(health_pb2.DESCRIPTOR)
    add(reflection_pb2.DESCRIPTOR)
    for service, methods in _SERVICES.items():
        file = descriptor_pb2.FileDescriptorProto(
            name=f"tensorflow_serving/apis/{service}.proto", package=_PACKAGE, syntax="proto3"
        )
        entry = file.service.add(name=service)
        for method, (module, request, response) in methods.items():
            add(module.DESCRIPTOR)
            if module.DESCRIPTOR.name not in file.dependency:
                file.dependency.append(module.DESCRIPTOR.name)
            entry.method.add(
                name=method,
                input_type=f".{_PACKAGE}.{request}",
                output_type=f".{_PACKAGE}.{response}",
            )
        pool.AddSerializedFile(file.SerializeToString())
    return pool
