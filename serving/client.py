"""EmotionClient: typed predictions over gRPC, from this project's server or TensorFlow Serving.

Importing it does not import TensorFlow (see `emotion_faces.protos`). Class names and model version come
from the server's answers.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt

from emotion_faces import tensors
from emotion_faces.addresses import DEFAULT_MODEL_NAME as DEFAULT_MODEL_NAME
from emotion_faces.addresses import DEFAULT_SERVER as DEFAULT_SERVER
from emotion_faces.addresses import DEFAULT_TIMEOUT_SECS as DEFAULT_TIMEOUT_SECS
from emotion_faces.answers import ImageError as ImageError
from emotion_faces.answers import Prediction as Prediction
from emotion_faces.errors import UserError
from emotion_faces.protos import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

MAX_BATCH_BYTES = 64 * 1024 * 1024
"""Encoded bytes in one request; a larger set of images goes in several."""

_POLL_SECS = 0.2
_SERVICE_CONFIG = json.dumps(
    {
        # A name with several addresses, as a headless service of Kubernetes has: each is asked in turn.
        # gRPC's default, one connection to the first that answers, leaves the others idle.
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 5,  # the most that gRPC allows
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    # TensorFlow Serving is RESOURCE_EXHAUSTED while its threads all answer others.
                    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
                },
            }
        ],
    }
)


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """A model version's state, such as `AVAILABLE`, and what went wrong with it if anything."""

    version: int
    state: str
    error_code: str
    error_message: str


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """Dtype name (`float`, `string`) and shape; None for a free dimension or an unknown rank."""

    dtype: str
    shape: tuple[int | None, ...] | None


@dataclasses.dataclass(frozen=True)
class Signature:
    """One of the model's entry points."""

    method_name: str
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """The served version and its signatures by name."""

    name: str
    version: int
    signatures: dict[str, Signature]


class CallError(UserError):
    """A call that the server refused or did not answer.

    `code` is the gRPC status code, `details` the server's own text.
    """

    def __init__(self, message: str, code: grpc.StatusCode, details: str = ""):
        super().__init__(message)
        self.code = code
        self.details = details


class EmotionClient:
    """Asks a model server for predictions; use it as a context manager or `close()` it.

    Args:
      server: HOST:PORT of the gRPC port, or another target of gRPC's, such as `dns:///NAME:PORT`; calls go
        to all addresses of the name in turn.
      model_name: Name the server has the model under.
      timeout_secs: Deadline of each call, retries included.
      batch_size: Most images in one request.
      credentials: For a server with TLS, of `grpc.ssl_channel_credentials`; None for a plain connection.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        model_name: str = DEFAULT_MODEL_NAME,
        timeout_secs: float = DEFAULT_TIMEOUT_SECS,
        batch_size: int = 64,
        credentials: grpc.ChannelCredentials | None = None,
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be 1 or more")
        if not 0 < timeout_secs < math.inf:
            raise ValueError(f"timeout_secs is {timeout_secs}; it must be more than 0, and finite")
        self._server = server
        self._model_name = model_name
        self._timeout_secs = timeout_secs
        self._batch_size = batch_size
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.service_config", _SERVICE_CONFIG),
            # A call larger than this buffer (default 256 KiB) would not be sent again.
            ("grpc.per_rpc_retry_buffer_size", 2 * MAX_BATCH_BYTES),
        ]
        if credentials is None:
            self._channel = grpc.insecure_channel(server, options)
        else:
            self._channel = grpc.secure_channel(server, credentials, options)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._model = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def __enter__(self) -> EmotionClient:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def predict(self, images: Sequence[bytes]) -> list[Prediction | ImageError]:
        """Classifies encoded images (JPEG or PNG, any size), one answer each, in order.

        An image that the server refuses gets an ImageError; the others are answered all the same.

        Raises:
          CallError: The server did not answer, or refused the call for no image's sake.
        """
        answers: list[Prediction | ImageError] = []
        for batch in _batches(images, self._batch_size):
            answers += self._predict_images(batch)
        return answers

    def predict_pixels(self, pixels: npt.NDArray[np.float32]) -> list[Prediction]:
        """Classifies float32 [N, height, width, 1] in [0, 1], of the size that the model takes.

        Raises:
          CallError: The server did not answer, or refused the array.
          ValueError: The array has another rank or dtype, or values outside [0, 1].
        """
        pixels = np.asarray(pixels)
        if pixels.ndim != 4 or pixels.shape[3] != 1 or pixels.dtype.kind != "f":
            raise ValueError(
                "pixels must be floats of shape [N, height, width, 1]; "
                f"found {pixels.dtype} {list(pixels.shape)}"
            )
        if pixels.size and not (pixels.min() >= 0 and pixels.max() <= 1):
            raise ValueError(
                f"pixels must lie in [0, 1]; found {pixels.min()} to {pixels.max()}: "
                "divide 8-bit values by 255"
            )
        answers: list[Prediction] = []
        for start in range(0, len(pixels), self._batch_size):
            batch = pixels[start : start + self._batch_size].astype(np.float32)
            answers += self._predict("pixels", "pixels", batch)
        return answers

    def status(self) -> list[VersionStatus]:
        """The versions that the server knows of the model, the newest first."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._spec())
        response = self._call(self._model.GetModelStatus, request)
        states = get_model_status_pb2.ModelVersionStatus.State
        return [
            VersionStatus(
                version=entry.version,
                state=states.Name(entry.state),
                error_code=_error_code(entry.status.error_code),
                error_message=entry.status.error_message,
            )
            for entry in response.model_version_status
        ]

    def metadata(self) -> ModelMetadata:
        """The served version's signatures, with dtypes and shapes."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec(), metadata_field=["signature_def"]
        )
        response = self._call(self._prediction.GetModelMetadata, request)
        signature_map = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signature_map)
        return ModelMetadata(
            name=response.model_spec.name,
            version=response.model_spec.version.value,
            signatures={
                name: Signature(
                    method_name=signature.method_name,
                    inputs={key: _tensor_spec(info) for key, info in signature.inputs.items()},
                    outputs={key: _tensor_spec(info) for key, info in signature.outputs.items()},
                )
                for name, signature in sorted(signature_map.signature_def.items())
            },
        )

    def wait_until_ready(self, timeout_secs: float = 60.0) -> int:
        """Waits until a version of the model is available, and returns the newest such version.

        Raises:
          CallError: None was in time (DEADLINE_EXCEEDED).
        """
        give_up_at = time.monotonic() + timeout_secs
        while True:
            try:
                versions = [v.version for v in self.status() if v.state == "AVAILABLE"]
                found = "the server knows the model, and no version of it is available yet"
            except CallError as error:
                versions, found = [], str(error)
            if versions:
                return max(versions)
            if time.monotonic() >= give_up_at:
                raise CallError(
                    f"model {self._model_name!r} at {self._server} was not ready within "
                    f"{timeout_secs:g} s: {found}",
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                )
            time.sleep(_POLL_SECS)

    def _spec(self, signature: str = "") -> Any:
        return model_pb2.ModelSpec(name=self._model_name, signature_name=signature)

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(request, timeout=self._timeout_secs)
        except grpc.RpcError as error:
            raise self._call_error(error) from None

    def _call_error(self, error: Any) -> CallError:
        code, details = error.code(), error.details() or "no message"
        # The same end of a connection, before or after its first bytes were sent.
        closed = "Socket closed" in details or "Connection reset by peer" in details
        if code is grpc.StatusCode.UNAVAILABLE and closed:
            text = (
                f"what listens at {self._server} closes the connection: it is no model server's gRPC port, "
                "or it wants TLS: name its certificate's authority with --tls-ca FILE (in Python, "
                "EmotionClient(credentials=...)); see Operations in docs/serving.md"
            )
        elif code is grpc.StatusCode.UNAVAILABLE:
            text = (
                f"no answer from the model server at {self._server} ({_unreached(details)}); "
                "start one with `emotion serve`, or name another with --server HOST:PORT"
            )
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
            text = f"the model server at {self._server} took longer than {self._timeout_secs:g} s"
        elif code is grpc.StatusCode.RESOURCE_EXHAUSTED and not error.details():
            text = (
                f"the model server at {self._server} is busy: each of its threads answers another "
                "call; try again, or start it with --grpc_max_threads=128"
            )
        else:
            text = f"the model server at {self._server} answered {code.name}: {details}"
        return CallError(text, code, details)

    def _predict_images(self, images: Sequence[bytes]) -> list[Prediction | ImageError]:
        batch = np.empty(len(images), object)
        batch[:] = images
        try:
            return list(self._predict("serving_default", "image_bytes", batch))
        except CallError as error:
            if error.code is not grpc.StatusCode.INVALID_ARGUMENT:
                raise
            if len(images) == 1:
                return [ImageError(error.code.name, error.details)]
        # One bad image spoils its whole request, whichever server it is: halve until it is alone.
        middle = len(images) // 2
        return self._predict_images(images[:middle]) + self._predict_images(images[middle:])

    def _predict(self, signature: str, alias: str, batch: npt.NDArray[Any]) -> list[Prediction]:
        request = predict_pb2.PredictRequest(model_spec=self._spec(signature))
        request.inputs[alias].CopyFrom(tensors.to_proto(batch, as_content=True))
        response = self._call(self._prediction.Predict, request)
        outputs = {}
        for name in ("probabilities", "label", "classes"):
            if name not in response.outputs:
                raise UserError(
                    f"model {self._model_name!r} at {self._server} answers no {name!r} (it has "
                    f"{', '.join(sorted(response.outputs))}); serve a model that this project "
                    "exported"
                )
            outputs[name] = tensors.to_array(response.outputs[name])
        rows = outputs["probabilities"]
        shapes = {name: list(array.shape) for name, array in outputs.items()}
        wanted = [len(batch), *rows.shape[1:2]]
        if (
            shapes != {"probabilities": wanted, "label": wanted[:1], "classes": wanted}
            or not np.issubdtype(rows.dtype, np.floating)
            or not np.isfinite(rows).all()
        ):
            raise UserError(
                f"model {self._model_name!r} at {self._server} answers no probabilities for {len(batch)} "
                f"pictures (found shapes {shapes}, {rows.dtype}); serve a model that this project exported"
            )
        version = response.model_spec.version.value
        return [
            Prediction(
                label=label.decode(),
                probabilities={
                    name.decode(): float(value)
                    for name, value in zip(names, probabilities, strict=True)
                },
                model_version=version,
            )
            for label, names, probabilities in zip(
                outputs["label"], outputs["classes"], outputs["probabilities"], strict=True
            )
        ]


_NO_GRPC = "what listens there does not speak gRPC; is it the REST port?"
_REASONS = {
    "Connection refused": "the connection was refused",
    "DNS resolution failed": "there is no host of that name",
    "Domain name not found": "there is no host of that name",
    "http1.x": _NO_GRPC,
    "Failed parsing HTTP/2": _NO_GRPC,
    "No route to host": "there is no route to it",
    "Network is unreachable": "its network cannot be reached",
}
"""In words, what gRPC says among addresses and names of its parts."""


def _unreached(details: str) -> str:
    return next((told for sign, told in _REASONS.items() if sign in details), details)


def _batches(images: Sequence[bytes], batch_size: int) -> Iterator[Sequence[bytes]]:
    start = size = 0
    for end, image in enumerate(images):
        full = end - start >= batch_size or size + len(image) > MAX_BATCH_BYTES
        if end > start and full:
            yield images[start:end]
            start, size = end, 0
        size += len(image)
    if start < len(images):
        yield images[start:]


def _error_code(code: int) -> str:
    return next(
        (status.name for status in grpc.StatusCode if status.value[0] == code), f"code {code}"
    )


def _tensor_spec(info: Any) -> TensorSpec:
    shape = None
    if not info.tensor_shape.unknown_rank:
        shape = tuple(dim.size if dim.size >= 0 else None for dim in info.tensor_shape.dim)
    return TensorSpec(tensors.dtype_name(info.dtype), shape)
