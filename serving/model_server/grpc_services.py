"""PredictionService and ModelService over gRPC."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import grpc

from serving.model_server import core, image_guard, metadata, predict, status
from serving.protos import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

_LONGEST_MESSAGE = 1024
_TRUNCATED = "...TRUNCATED"

_log = logging.getLogger(__name__)
_Response = TypeVar("_Response")


def answer(context: grpc.ServicerContext, call: Callable[[], _Response]) -> _Response:
    """Runs a call and turns its StatusError into gRPC's status; anything else is INTERNAL."""
    try:
        return call()
    except status.StatusError as error:
        context.abort(error.code, truncated(error.message))
    except Exception as error:  # nothing may reach the caller as a bare UNKNOWN
        _log.exception("a call failed")
        context.abort(grpc.StatusCode.INTERNAL, truncated(f"{type(error).__name__}: {error}"))
    raise AssertionError("abort() raises")


def truncated(message: str) -> str:
    """A message of at most 1024 characters, as gRPC's trailers may not be long."""
    if len(message) <= _LONGEST_MESSAGE:
        return message
    return message[: _LONGEST_MESSAGE - len(_TRUNCATED)] + _TRUNCATED


def deadline_of(context: grpc.ServicerContext) -> float | None:
    """The call's deadline in the clock of time.monotonic(); None where it has none."""
    remaining = context.time_remaining()
    return None if remaining is None else time.monotonic() + remaining


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers Predict, Classify, Regress, MultiInference and GetModelMetadata."""

    def __init__(
        self, server_core: core.ServerCore, limits: image_guard.ImageLimits, as_content: bool
    ):
        self._core = server_core
        self._limits = limits
        self._as_content = as_content

    def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """One Predict call."""

        def call() -> predict_pb2.PredictResponse:
            if not request.HasField("model_spec"):
                raise status.invalid_argument("Missing ModelSpec")
            with self._core.acquire(request.model_spec) as model:
                response, _ = predict.predict(
                    model, request, self._limits, deadline_of(context), self._as_content
                )
                return response

        return answer(context, call)

    def GetModelMetadata(  # noqa: N802
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a version."""

        def call() -> get_model_metadata_pb2.GetModelMetadataResponse:
            metadata.check_metadata_request(request)
            with self._core.acquire(request.model_spec) as model:
                return metadata.metadata(model)

        return answer(context, call)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Answers GetModelStatus and HandleReloadConfigRequest."""

    def __init__(self, server_core: core.ServerCore):
        self._core = server_core

    def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of a model's versions."""

        def call() -> get_model_status_pb2.GetModelStatusResponse:
            if not request.HasField("model_spec"):
                raise status.invalid_argument("Missing ModelSpec")
            spec = request.model_spec
            return metadata.model_status(spec, self._core.statuses(spec.name))

        return answer(context, call)

    def HandleReloadConfigRequest(  # noqa: N802
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Takes a new configuration; the outcome is in the response's status."""
        response = model_management_pb2.ReloadConfigResponse()
        try:
            core.check_config(request.config)
            self._core.reload(request.config)
            response.status.error_code = 0
        except status.StatusError as error:
            response.status.error_code = error.code.value[0]
            response.status.error_message = error.message
        except Exception as error:
            _log.exception("a reload failed")
            context.abort(grpc.StatusCode.INTERNAL, truncated(f"{type(error).__name__}: {error}"))
        return response


def add_services(server: Any, prediction: PredictionService, model: ModelService) -> None:
    """Registers both services with a gRPC server."""
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(model, server)
