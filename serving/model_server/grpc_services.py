"""PredictionService and ModelService over gRPC."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from emotion_faces.model_server import calls, core, model_config, status
from emotion_faces.protos import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

_LONGEST_MESSAGE = 1024
_TRUNCATED = "...TRUNCATED"
_LONGEST_DEADLINE_SECS = 10 * 365 * 24 * 3600.0

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
    """A message's first 1024 characters, marked where it had more: trailers may not be long."""
    if len(message) <= _LONGEST_MESSAGE:
        return message
    return message[:_LONGEST_MESSAGE] + _TRUNCATED


def deadline_of(context: grpc.ServicerContext | grpc.aio.ServicerContext) -> float | None:
    """The call's deadline in the clock of time.monotonic(); None where it has none."""
    remaining = context.time_remaining()
    # Without a deadline gRPC answers None, or the time until the end of its own clock.
    if remaining is None or remaining > _LONGEST_DEADLINE_SECS:
        return None
    return time.monotonic() + remaining


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers Predict, Classify, Regress, MultiInference and GetModelMetadata.

    For a server of grpc.aio, which has its threads answer what is no coroutine.

    Args:
      server_calls: Answers the calls.
      executor: Its threads answer Predict calls that are large.
    """

    def __init__(self, server_calls: calls.Calls, executor: concurrent.futures.Executor):
        self._calls = server_calls
        self._executor = executor
        self._answering: set[asyncio.Task[Any]] = set()

    async def ended(self) -> None:
        """Waits until every Predict call has ended, those too whose callers are gone."""
        if self._answering:
            await asyncio.wait(self._answering)

    def _answer(
        self,
        context: grpc.ServicerContext,
        name: str,
        api: str,
        call: Callable[..., Any],
        request: Any,
    ) -> Any:
        def recorded() -> Any:
            with self._calls.recorded(name, api, "GRPC"):
                return call(request, deadline_of(context))

        return answer(context, recorded)

    async def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """One Predict call."""
        call = asyncio.ensure_future(self._predict(request, deadline_of(context)))
        self._answering.add(call)
        call.add_done_callback(self._answering.discard)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            # The caller is gone: the call leaves the queue, or goes on while it holds a version.
            call.cancel()
            raise
        except status.StatusError as error:
            await context.abort(error.code, truncated(error.message))
        except Exception as error:  # nothing may reach the caller as a bare UNKNOWN
            _log.exception("a call failed")
            message = truncated(f"{type(error).__name__}: {error}")
            await context.abort(grpc.StatusCode.INTERNAL, message)
        raise AssertionError("abort() raises")

    async def _predict(
        self, request: predict_pb2.PredictRequest, deadline: float | None
    ) -> predict_pb2.PredictResponse:
        with self._calls.recorded(request.model_spec.name, "Predict", "GRPC"):
            if request.ByteSize() <= calls.MAX_IN_LOOP_BYTES:
                return await self._calls.predict_in_loop(request, deadline)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._executor, self._calls.predict, request, deadline
            )

    def Classify(  # noqa: N802
        self, request: classification_pb2.ClassificationRequest, context: grpc.ServicerContext
    ) -> classification_pb2.ClassificationResponse:
        """One Classify call."""
        name = request.model_spec.name
        return self._answer(context, name, "Classify", self._calls.classify, request)

    def Regress(  # noqa: N802
        self, request: regression_pb2.RegressionRequest, context: grpc.ServicerContext
    ) -> regression_pb2.RegressionResponse:
        """One Regress call."""
        name = request.model_spec.name
        return self._answer(context, name, "Regress", self._calls.regress, request)

    def MultiInference(  # noqa: N802
        self, request: inference_pb2.MultiInferenceRequest, context: grpc.ServicerContext
    ) -> inference_pb2.MultiInferenceResponse:
        """One MultiInference call."""
        name = request.tasks[0].model_spec.name if request.tasks else ""
        return self._answer(context, name, "MultiInference", self._calls.multi_inference, request)

    def GetModelMetadata(  # noqa: N802
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a version."""
        return answer(context, lambda: self._calls.model_metadata(request))


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Answers GetModelStatus and, where it is allowed, HandleReloadConfigRequest."""

    def __init__(self, server_core: core.ServerCore, server_calls: calls.Calls, may_reload: bool):
        self._core = server_core
        self._calls = server_calls
        self._may_reload = may_reload

    def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of a model's versions."""
        return answer(context, lambda: self._calls.model_status(request))

    def HandleReloadConfigRequest(  # noqa: N802
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Takes a new configuration; returns once its new models are available."""

        def call() -> model_management_pb2.ReloadConfigResponse:
            if not self._may_reload:
                # Deviation: in TensorFlow Serving whoever reaches the port may change the models.
                raise status.StatusError(
                    grpc.StatusCode.PERMISSION_DENIED,
                    "this server's models are not to be changed by a call: start it with "
                    "--model_config_file or --allow_reload_config=true",
                )
            model_config.check_config(request.config)
            self._core.reload(request.config)
            response = model_management_pb2.ReloadConfigResponse()
            response.status.error_code = 0
            return response

        return answer(context, call)


def add_services(server: Any, prediction: PredictionService, model: ModelService) -> None:
    """Registers both services with a gRPC server."""
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(model, server)


async def add_health_service(server: grpc.aio.Server) -> Any:
    """Registers grpc.health.v1.Health with a gRPC server; everything is SERVING until shutdown."""
    servicer = health.aio.HealthServicer()
    for name in ("", "ModelService", "PredictionService"):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return servicer
