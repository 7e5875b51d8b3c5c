"""The calls themselves, the same for gRPC and REST: found, run, counted and timed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import numpy as np

from emotion_faces.model_server import (
    core,
    image_guard,
    inference,
    json_request,
    json_response,
    metadata,
    metrics,
    predict,
    servable,
    status,
)
from emotion_faces.protos import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

MAX_IN_LOOP_BYTES = 64 * 1024
"""Largest Predict request that an event loop reads and checks, answering nobody else meanwhile: some milliseconds."""

_MISSING_SPEC = "Missing ModelSpec"


class Calls:
    """Answers calls for the models of a ServerCore; safe from any thread.

    A `deadline` is of time.monotonic(), None for none. Every method raises StatusError where the
    contract has an error.

    Args:
      as_content: Predict answers with `tensor_content`.
      check_method: Classify and Regress refuse signatures of another method name.
    """

    def __init__(
        self,
        server_core: core.ServerCore,
        recorder: metrics.Metrics,
        limits: image_guard.ImageLimits,
        as_content: bool = False,
        check_method: bool = False,
    ):
        self._core = server_core
        self._metrics = recorder
        self._limits = limits
        self._as_content = as_content
        self._check_method = check_method

    @contextlib.contextmanager
    def recorded(self, model_name: str, api: str, entrypoint: str) -> Iterator[None]:
        """Counts the call within, and its time where it succeeds."""
        started = time.monotonic()
        code = "INTERNAL"
        try:
            yield
            code = "OK"
        except status.StatusError as error:
            code = error.code.name
            raise
        except asyncio.CancelledError:  # the caller is gone
            code = grpc.StatusCode.CANCELLED.name
            raise
        finally:
            self._metrics.count_request(model_name, code)
        self._metrics.add_request_latency(model_name, api, entrypoint, time.monotonic() - started)

    def predict(
        self, request: predict_pb2.PredictRequest, deadline: float | None
    ) -> predict_pb2.PredictResponse:
        """One Predict call."""
        if not request.HasField("model_spec"):
            raise status.invalid_argument(_MISSING_SPEC)
        with self._core.acquire(request.model_spec) as model:
            response, seconds = predict.predict(
                model, request, self._limits, deadline, self._as_content
            )
        self._metrics.add_runtime_latency(model.name, "Predict", seconds)
        return response

    async def predict_in_loop(
        self, request: predict_pb2.PredictRequest, deadline: float | None
    ) -> predict_pb2.PredictResponse:
        """Does what `predict` does for a caller in an event loop; for requests of MAX_IN_LOOP_BYTES at most."""
        if not request.HasField("model_spec"):
            raise status.invalid_argument(_MISSING_SPEC)
        with self._core.acquire(request.model_spec) as model:
            response, seconds = await predict.predict_in_loop(
                model, request, self._limits, deadline, self._as_content
            )
        self._metrics.add_runtime_latency(model.name, "Predict", seconds)
        return response

    def predict_json(self, spec: model_pb2.ModelSpec, body: bytes, deadline: float) -> bytes:
        """One Predict call in JSON."""
        document = json_request.parse_object(body)
        with self._core.acquire(spec) as model:
            signature, arrays, request_format = _json_inputs(model, document, body)
            outputs, seconds = predict.run(model, signature, arrays, self._limits, deadline)
        self._metrics.add_runtime_latency(model.name, "Predict", seconds)
        return json_response.predictions(outputs, request_format)

    async def predict_json_in_loop(
        self, spec: model_pb2.ModelSpec, body: bytes, deadline: float
    ) -> bytes:
        """Does what `predict_json` does for a caller in an event loop; for bodies of MAX_IN_LOOP_BYTES at most."""
        document = json_request.parse_object(body)
        with self._core.acquire(spec) as model:
            signature, arrays, request_format = _json_inputs(model, document, body)
            outputs, seconds = await predict.run_in_loop(
                model, signature, arrays, self._limits, deadline
            )
        self._metrics.add_runtime_latency(model.name, "Predict", seconds)
        return json_response.predictions(outputs, request_format)

    def classify(
        self, request: classification_pb2.ClassificationRequest, deadline: float | None
    ) -> classification_pb2.ClassificationResponse:
        """One Classify call."""
        response = classification_pb2.ClassificationResponse()
        outputs, rows = self._run_examples(
            request, response, "Classify", inference.CLASSIFY_METHOD, deadline
        )
        response.result.CopyFrom(inference.classification_result(outputs, rows))
        return response

    def regress(
        self, request: regression_pb2.RegressionRequest, deadline: float | None
    ) -> regression_pb2.RegressionResponse:
        """One Regress call."""
        response = regression_pb2.RegressionResponse()
        outputs, rows = self._run_examples(
            request, response, "Regress", inference.REGRESS_METHOD, deadline
        )
        response.result.CopyFrom(inference.regression_result(outputs, rows))
        return response

    def _run_examples(
        self, request: Any, response: Any, api: str, method: str, deadline: float | None
    ) -> tuple[dict[str, np.ndarray], int]:
        if not request.HasField("model_spec"):
            raise status.invalid_argument(_MISSING_SPEC)
        with self._core.acquire(request.model_spec) as model:
            signature = inference.find_signature(
                model, request.model_spec.signature_name, method, self._check_method
            )
            outputs, seconds = inference.run_examples(
                model, signature, request.input, self._limits, deadline
            )
        self._metrics.add_runtime_latency(model.name, api, seconds)
        predict.make_spec(response, model, signature.key)
        kind = request.input.WhichOneof("kind")
        return outputs, len(getattr(request.input, kind).examples)

    def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, deadline: float | None
    ) -> inference_pb2.MultiInferenceResponse:
        """One MultiInference call; the first task's spec chooses the version."""
        spec = request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()
        with self._core.acquire(spec) as model:
            response, seconds = inference.multi_inference(
                model, request, self._limits, deadline, self._check_method
            )
        self._metrics.add_runtime_latency(model.name, "MultiInference", seconds)
        return response

    def model_metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """One GetModelMetadata call."""
        metadata.check_metadata_request(request)
        with self._core.acquire(request.model_spec) as model:
            return metadata.metadata(model)

    def model_status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """One GetModelStatus call."""
        if not request.HasField("model_spec"):
            raise status.invalid_argument(_MISSING_SPEC)
        return metadata.model_status(
            request.model_spec, self._core.statuses(request.model_spec.name)
        )


def _json_inputs(
    model: servable.Servable, document: Mapping[str, Any], body: bytes
) -> tuple[servable.Signature, dict[str, np.ndarray], str]:
    """The signature that a request in JSON asks for, its arrays, and the format of both."""
    key = json_request.signature_name(document) or predict.DEFAULT_SIGNATURE
    signature = model.signatures.get(key)
    if signature is None:
        raise status.invalid_argument(f'Serving signature name: "{key}" not found in signature def')
    if not signature.inputs:
        raise status.invalid_argument(f"Failed to get input map for signature: {key}")
    return signature, *json_request.predict_arrays(document, body, signature)
