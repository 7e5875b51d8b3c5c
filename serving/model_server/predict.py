"""Predict: a PredictRequest, or arrays from JSON, answered by a loaded version."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import grpc
import numpy as np

from emotion_faces import tensors
from emotion_faces.model_server import image_guard, inputs, servable, status
from emotion_faces.protos import predict_pb2

DEFAULT_SIGNATURE = "serving_default"


def predict(
    model: servable.Servable,
    request: predict_pb2.PredictRequest,
    limits: image_guard.ImageLimits,
    deadline: float | None,
    as_content: bool = False,
) -> tuple[predict_pb2.PredictResponse, float]:
    """Answers a PredictRequest, and tells the seconds that the model took.

    Args:
      as_content: Give the outputs as `tensor_content` and not as lists of values.

    Raises:
      StatusError: As TensorFlow Serving words it.
    """
    signature, arrays, aliases = _asked(model, request)
    outputs, seconds = run(model, signature, arrays, limits, deadline)
    return _response(model, signature.key, outputs, aliases, as_content), seconds


async def predict_in_loop(
    model: servable.Servable,
    request: predict_pb2.PredictRequest,
    limits: image_guard.ImageLimits,
    deadline: float | None,
    as_content: bool = False,
) -> tuple[predict_pb2.PredictResponse, float]:
    """Does what `predict` does for a caller in an event loop."""
    signature, arrays, aliases = _asked(model, request)
    outputs, seconds = await run_in_loop(model, signature, arrays, limits, deadline)
    return _response(model, signature.key, outputs, aliases, as_content), seconds


def _asked(
    model: servable.Servable, request: predict_pb2.PredictRequest
) -> tuple[servable.Signature, dict[str, np.ndarray], list[str]]:
    """The signature that a request asks for, its arrays, and the outputs that are wanted."""
    key = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = model.signatures.get(key)
    if signature is None:
        raise status.failed_precondition(f'Serving signature key "{key}" not found.')
    arrays = inputs.parse_tensors(signature, request.inputs)
    return signature, arrays, _filtered(signature, request.output_filter)


def _response(
    model: servable.Servable,
    key: str,
    outputs: Mapping[str, np.ndarray],
    aliases: Sequence[str],
    as_content: bool,
) -> predict_pb2.PredictResponse:
    response = predict_pb2.PredictResponse()
    make_spec(response, model, key)
    for alias in aliases:
        response.outputs[alias].CopyFrom(tensors.to_proto(outputs[alias], as_content=as_content))
    return response


def run(
    model: servable.Servable,
    signature: servable.Signature,
    arrays: Mapping[str, np.ndarray],
    limits: image_guard.ImageLimits,
    deadline: float | None,
) -> tuple[dict[str, np.ndarray], float]:
    """Checks and runs arrays by input alias; where an image can't be decoded, says which.

    Raises:
      StatusError: The inputs are refused by the checks or by the model.
    """
    inputs.check_arrays(signature, arrays, limits)
    try:
        return model.run(signature, arrays, deadline)
    except status.StatusError as error:
        raise _named(error, model, signature, arrays, deadline) from None


async def run_in_loop(
    model: servable.Servable,
    signature: servable.Signature,
    arrays: Mapping[str, np.ndarray],
    limits: image_guard.ImageLimits,
    deadline: float | None,
) -> tuple[dict[str, np.ndarray], float]:
    """Does what `run` does for a caller in an event loop."""
    inputs.check_arrays(signature, arrays, limits)
    try:
        return await model.run_in_loop(signature, arrays, deadline)
    except status.StatusError as error:
        # It runs parts of the arrays again, and each of these runs would block the loop.
        naming = asyncio.to_thread(_named, error, model, signature, arrays, deadline)
        raise await _to_its_end(naming) from None


async def _to_its_end(work: Coroutine[Any, Any, status.StatusError]) -> status.StatusError:
    """Awaits what runs the model in a thread: a caller that goes lets its version go no sooner."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _named(
    error: status.StatusError,
    model: servable.Servable,
    signature: servable.Signature,
    arrays: Mapping[str, np.ndarray],
    deadline: float | None,
) -> status.StatusError:
    """Returns the error of a run; where an image can't be decoded, one that says which."""
    images = arrays.get(inputs.IMAGE_INPUT)
    refused = error.code is grpc.StatusCode.INVALID_ARGUMENT
    if images is None or not refused or not signature.batched:
        return error
    index = inputs.first_refused(
        lambda part: model.run(signature, part, deadline), arrays, len(images)
    )
    return status.invalid_argument(
        f"{inputs.IMAGE_INPUT}[{index}] cannot be decoded: {error.message}"
    )


def _filtered(signature: servable.Signature, output_filter: Sequence[str]) -> list[str]:
    for index, alias in enumerate(output_filter):
        if alias not in signature.outputs:
            raise status.invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in "
                f"the set {{{inputs.joined(signature.outputs)}}}."
            )
        if alias in output_filter[:index]:
            raise status.invalid_argument(f"duplicate output tensor alias: {alias}")
    return list(output_filter) or list(signature.outputs)


def make_spec(response: Any, model: servable.Servable, key: str) -> None:
    """Fills a response's model_spec with what answered it."""
    response.model_spec.name = model.name
    response.model_spec.version.value = model.version
    response.model_spec.signature_name = key
