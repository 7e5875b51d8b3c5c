"""PredictionService and ModelService over gRPC."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from emotion_faces.model_server import calls, core, held, model_config, status
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
_UNREADABLE = "Exception deserializing request!"
_LONGEST_DEADLINE_SECS = 10 * 365 * 24 * 3600.0

_log = logging.getLogger(__name__)
_Response = TypeVar("_Response")


async def answer(context: grpc.aio.ServicerContext, call: Awaitable[_Response]) -> _Response:
    """Awaits a call and turns its StatusError into gRPC's status; anything else is INTERNAL."""
    try:
        return await call
    except status.StatusError as error:
        await context.abort(error.code, truncated(error.message))
    except Exception as error:  # nothing may reach the caller as a bare UNKNOWN
        _log.exception("a call failed")
        message = truncated(f"{type(error).__name__}: {error}")
        await context.abort(grpc.StatusCode.INTERNAL, message)
    raise AssertionError("abort() raises")


async def _run(
    executor: concurrent.futures.Executor, call: Callable[..., _Response], *arguments: Any
) -> _Response:
    return await asyncio.get_running_loop().run_in_executor(executor, call, *arguments)


def truncated(message: str) -> str:
    """A message's first 1024 characters, marked where it had more: trailers may not be long."""
    if len(message) <= _LONGEST_MESSAGE:
        return message
    return message[:_LONGEST_MESSAGE] + _TRUNCATED


def deadline_of(context: grpc.aio.ServicerContext) -> float | None:
    """The call's deadline in the clock of time.monotonic(); None where it has none."""
    remaining = context.time_remaining()
    # Without a deadline gRPC answers None, or the time until the end of its own clock.
    if remaining is None or remaining > _LONGEST_DEADLINE_SECS:
        return None
    return time.monotonic() + remaining


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers Predict, Classify, Regress, MultiInference and GetModelMetadata.

    Every method is a coroutine: grpc.aio would have a thread answer any other, where abort() does not
    raise.

    Args:
      server_calls: Answers the calls.
      held_requests: Bounds what waits.
      executor: Its threads answer what is no small Predict call.
      status_executor: Its threads answer what runs no model.
    """

    def __init__(
        self,
        server_calls: calls.Calls,
        held_requests: held.Held,
        executor: concurrent.futures.Executor,
        status_executor: concurrent.futures.Executor,
    ):
        self._calls = server_calls
        self._held_requests = held_requests
        self._executor = executor
        self._status_executor = status_executor
        self._answering: set[asyncio.Task[Any]] = set()

    async def ended(self) -> None:
        """Waits until every Predict call has ended, those too whose callers are gone."""
        if self._answering:
            await asyncio.wait(self._answering)

    async def _in_thread(
        self,
        context: grpc.aio.ServicerContext,
        name: str,
        api: str,
        call: Callable[..., _Response],
        request: Any,
    ) -> _Response:
        deadline = deadline_of(context)

        async def recorded() -> _Response:
            with self._calls.recorded(name, api, "GRPC"):
                return await self._run_held(request.ByteSize(), call, request, deadline)

        return await answer(context, self._to_its_end(recorded()))

    async def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """One Predict call."""
        return await answer(context, self._to_its_end(self._predict(request, deadline_of(context))))

    async def _to_its_end(self, work: Coroutine[Any, Any, _Response]) -> _Response:
        call = asyncio.ensure_future(work)
        self._answering.add(call)
        call.add_done_callback(self._answering.discard)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            # The caller is gone: the call leaves the queue, or goes on while it holds a version.
            call.cancel()
            raise

    async def _predict(
        self, request: predict_pb2.PredictRequest, deadline: float | None
    ) -> predict_pb2.PredictResponse:
        size = request.ByteSize()
        with self._calls.recorded(request.model_spec.name, "Predict", "GRPC"):
            if size > calls.MAX_IN_LOOP_BYTES:
                return await self._run_held(size, self._calls.predict, request, deadline)
            with self._held_requests.start_call(size):
                return await self._calls.predict_in_loop(request, deadline)

    async def _run_held(
        self, size: int, call: Callable[..., _Response], request: Any, deadline: float | None
    ) -> _Response:
        """Has a thread answer; the request counts until it has, even where its caller is gone."""
        counted = self._held_requests.start_call(size)
        try:
            answering = self._executor.submit(call, request, deadline)
        except RuntimeError:  # the server ends
            counted.close()
            raise
        answering.add_done_callback(lambda _: counted.close())
        return await asyncio.wrap_future(answering)

    async def Classify(  # noqa: N802
        self, request: classification_pb2.ClassificationRequest, context: grpc.aio.ServicerContext
    ) -> classification_pb2.ClassificationResponse:
        """One Classify call."""
        name = request.model_spec.name
        return await self._in_thread(context, name, "Classify", self._calls.classify, request)

    async def Regress(  # noqa: N802
        self, request: regression_pb2.RegressionRequest, context: grpc.aio.ServicerContext
    ) -> regression_pb2.RegressionResponse:
        """One Regress call."""
        name = request.model_spec.name
        return await self._in_thread(context, name, "Regress", self._calls.regress, request)

    async def MultiInference(  # noqa: N802
        self, request: inference_pb2.MultiInferenceRequest, context: grpc.aio.ServicerContext
    ) -> inference_pb2.MultiInferenceResponse:
        """One MultiInference call."""
        name = request.tasks[0].model_spec.name if request.tasks else ""
        return await self._in_thread(
            context, name, "MultiInference", self._calls.multi_inference, request
        )

    async def GetModelMetadata(  # noqa: N802
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.aio.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a version."""
        return await answer(
            context, _run(self._status_executor, self._calls.model_metadata, request)
        )


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Answers GetModelStatus and, where it is allowed, HandleReloadConfigRequest.

    Every method is a coroutine, as those of PredictionService.

    Args:
      server_core: Takes the configurations.
      server_calls: Answers what is asked of the models.
      may_reload: Whether a call may change the configuration.
      executor: Its threads answer what takes its time.
      status_executor: Its threads answer what does not.
    """

    def __init__(
        self,
        server_core: core.ServerCore,
        server_calls: calls.Calls,
        may_reload: bool,
        executor: concurrent.futures.Executor,
        status_executor: concurrent.futures.Executor,
    ):
        self._executor = executor
        self._status_executor = status_executor
        self._core = server_core
        self._calls = server_calls
        self._may_reload = may_reload

    async def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.aio.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of a model's versions."""
        return await answer(context, _run(self._status_executor, self._calls.model_status, request))

    async def HandleReloadConfigRequest(  # noqa: N802
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.aio.ServicerContext
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

        return await answer(context, _run(self._executor, call))


class _Unreadable:
    """In place of a request whose bytes do not parse."""


class _Readable(grpc.GenericRpcHandler):
    """A service's handler whose calls are INTERNAL where their bytes do not parse.

    That is what gRPC itself answers in C++ and in Python's threads; grpc.aio answers UNKNOWN with the
    name of a class of Python, and logs a traceback for each.
    """

    def __init__(self, service: grpc.GenericRpcHandler):
        self._service = service
        self._handlers: dict[str, Any] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method; None for one that there is not."""
        method = handler_call_details.method
        if method not in self._handlers:
            handler = self._service.service(handler_call_details)
            if handler is None:
                return None
            self._handlers[method] = _readable(handler)
        return self._handlers[method]


def _readable(handler: Any) -> Any:
    parse, call = handler.request_deserializer, handler.unary_unary

    def parsed(data: bytes) -> Any:
        try:
            return parse(data)
        except Exception:  # DecodeError's class differs between protobuf's implementations
            return _Unreadable()

    async def answered(request: Any, context: grpc.aio.ServicerContext) -> Any:
        if isinstance(request, _Unreadable):
            await context.abort(grpc.StatusCode.INTERNAL, _UNREADABLE)
        return await call(request, context)

    return grpc.unary_unary_rpc_method_handler(
        answered,
        request_deserializer=parsed,
        response_serializer=handler.response_serializer,
    )


class _Registry:
    """In place of a server, for the functions that register services with one."""

    def __init__(self, server: Any):
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Registers services."""
        self._server.add_generic_rpc_handlers(tuple(_Readable(handler) for handler in handlers))

    def add_registered_method_handlers(self, service: str, handlers: object) -> None:
        """Does nothing, as in grpc.aio: the generic handlers are all."""


def add_services(server: Any, prediction: PredictionService, model: ModelService) -> None:
    """Registers both services with a gRPC server."""
    registry = _Registry(server)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, registry)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(model, registry)


async def add_health_service(server: grpc.aio.Server) -> Any:
    """Registers grpc.health.v1.Health with a gRPC server; everything is SERVING until shutdown."""
    servicer = health.aio.HealthServicer()
    for name in ("", "ModelService", "PredictionService"):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return servicer
