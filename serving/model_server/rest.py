"""The REST API: routes, JSON bodies, HTTP status codes."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import re
import time
import urllib.parse
import zlib
from collections.abc import Awaitable, Collection, Mapping
from typing import Any

import grpc
from google.protobuf import json_format

from emotion_faces.model_server import (
    calls,
    json_examples,
    json_request,
    json_response,
    metadata,
    metrics,
    status,
)
from emotion_faces.protos import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    regression_pb2,
)

MAX_INFLATED_BYTES = 100 * 1024 * 1024
"""Largest body after gzip, as in TensorFlow Serving."""
LARGE_BYTES = 1024 * 1024
"""A body above it, inflated, is answered beside few others: parsed it may take twenty times as much."""
LARGE_AT_ONCE = 2

_MOST_DIGITS = len(str(2**63))
_API_PATH = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)
_MODEL = r"([^/:]+)(?:/versions/([0-9]+)|/labels/([^/:]+))?"
_CALL_PATH = re.compile(rf"/v1/models/{_MODEL}:(classify|regress|predict)", re.IGNORECASE)
_STATUS_PATH = re.compile(rf"/v1/models(?:/{_MODEL})?(?:/(metadata))?", re.IGNORECASE)
_HTTP_CODES = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}

_log = logging.getLogger(__name__)

# Protobuf 5 has another name for it, and no longer takes this one.
_WITH_DEFAULTS = next(
    name
    for name in ("always_print_fields_with_no_presence", "including_default_value_fields")
    if name in inspect.signature(json_format.MessageToDict).parameters
)


@dataclasses.dataclass(frozen=True)
class Response:
    """An HTTP answer."""

    code: int
    body: bytes
    headers: Mapping[str, str]


class RestApi:
    """Answers HTTP requests; safe from any thread.

    Args:
      server_calls: Answers the calls.
      timeout_secs: Of each call.
      cors: Answer with headers that let pages of other origins call.
      metrics_path: Where the metrics are found; None: nowhere.
      hosts: Names that the server is called by; None: any.
    """

    def __init__(
        self,
        server_calls: calls.Calls,
        recorder: metrics.Metrics,
        timeout_secs: float = 30.0,
        cors: bool = False,
        metrics_path: str | None = None,
        hosts: Collection[str] | None = None,
    ):
        self._calls = server_calls
        self._metrics = recorder
        self._timeout_secs = timeout_secs
        self._cors = cors
        self._metrics_path = metrics_path
        self._hosts = hosts
        self._methods = {
            "predict": server_calls.predict_json,
            "classify": self._classify,
            "regress": self._regress,
        }

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Answers one request; never raises."""
        try:
            refused = self._without_model(method, path, headers)
            if refused is not None:
                return refused
            inflated = _inflated(body) if _is_gzip(headers) else body
            return self._response(200, self._answer(method, path, inflated))
        except Exception as error:
            return self._failure(method, path, error)

    def large_wait_secs(self, headers: Mapping[str, str], body: bytes) -> float | None:
        """How long a request may wait for its turn among the large ones; None where it is none."""
        size = _stated_size(body) if _is_gzip(headers) else len(body)
        return self._timeout_secs if size > LARGE_BYTES else None

    def handle_in_loop(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Awaitable[Response] | None:
        """Answers a request that an event loop may answer itself: a Predict call that is small.

        It waits for its run without a thread of its own. Returns None for any other request.
        """
        match = _CALL_PATH.fullmatch(path) if method == "POST" else None
        if (
            match is None
            or match[4] != "predict"
            or len(body) > calls.MAX_IN_LOOP_BYTES
            or "Content-Encoding" in headers
        ):
            return None
        return self._predict_in_loop(path, headers, body, match)

    async def _predict_in_loop(
        self, path: str, headers: Mapping[str, str], body: bytes, match: re.Match[str]
    ) -> Response:
        try:
            refused = self._without_model("POST", path, headers)
            if refused is not None:
                return refused
            spec = _spec(*match.groups()[:3])
            deadline = time.monotonic() + self._timeout_secs
            with self._calls.recorded(spec.name, "predict", "REST"):
                return self._response(
                    200, await self._calls.predict_json_in_loop(spec, body, deadline)
                )
        except Exception as error:
            return self._failure("POST", path, error)

    def _without_model(self, method: str, path: str, headers: Mapping[str, str]) -> Response | None:
        """Answers what needs no model; None where one is asked for."""
        try:
            self._check_caller(method, headers)
        except status.StatusError as error:
            return error_response(error)
        if path == self._metrics_path:
            return Response(200, self._metrics.page().encode(), {"Content-Type": "text/plain"})
        if not _API_PATH.fullmatch(path):
            return Response(404, b"Not found\n", {"Content-Type": "text/plain"})
        if method == "OPTIONS" and self._cors:
            if not headers.get("Origin"):
                return Response(400, b"", {})
            return Response(200, b"", _CORS_HEADERS)
        return None

    def _failure(self, method: str, path: str, error: Exception) -> Response:
        if isinstance(error, status.StatusError):
            refusal = error_response(error)
            return self._response(refusal.code, refusal.body)
        # A caller gets an answer whatever went wrong.
        _log.error("%s %s failed", method, path, exc_info=error)
        answer = json_response.dumps({"error": f"{type(error).__name__}: {error}"})
        return self._response(500, answer)

    def _response(self, code: int, answer: bytes) -> Response:
        cors_headers = _CORS_HEADERS if self._cors else {}
        return Response(code, answer, {"Content-Type": "application/json", **cors_headers})

    def _check_caller(self, method: str, headers: Mapping[str, str]) -> None:
        """Refuses what a web page of another site sends through its reader's browser.

        Deviation: TensorFlow Serving answers it; on loopback that is whatever page somebody opens.
        A browser names the page in Origin, and the name that the page called in Host, which is no
        name of this machine where the page had its own name point here.
        """
        host = headers.get("Host", "")
        name = _host_name(host)
        if self._hosts is not None and name not in self._hosts and host:
            raise status.StatusError(
                grpc.StatusCode.PERMISSION_DENIED,
                f"the host {name!r} is no name of this server, which listens on loopback; "
                "--rest_api_allowed_hosts adds names",
            )
        origin = headers.get("Origin")
        if origin is None or self._cors or method == "OPTIONS":
            return
        if origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
            raise status.StatusError(
                grpc.StatusCode.PERMISSION_DENIED,
                f"pages of {origin} may not call this server; --rest_api_enable_cors_support lets "
                "pages of every origin",
            )

    def _answer(self, method: str, path: str, body: bytes) -> bytes:
        if method == "POST" and (match := _CALL_PATH.fullmatch(path)):
            # The path may be in any case, the method's name may not, as in TensorFlow Serving.
            call = self._methods.get(match[4])
            spec = _spec(*match.groups()[:3])
            if call is not None:
                with self._calls.recorded(spec.name, match[4], "REST"):
                    return call(spec, body, time.monotonic() + self._timeout_secs)
        elif method == "GET" and (match := _STATUS_PATH.fullmatch(path)):
            if match[1] is None:
                raise status.invalid_argument("Missing model name in request.")
            spec = _spec(*match.groups()[:3])
            if match[4] == "metadata":
                return self._model_metadata(spec)
            request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
            return json_response.dumps(_to_dict(self._calls.model_status(request)))
        raise status.invalid_argument(f"Malformed request: {method} {path}")

    def _classify(self, spec: model_pb2.ModelSpec, body: bytes, deadline: float) -> bytes:
        request = classification_pb2.ClassificationRequest(model_spec=spec)
        _fill_request(request, body)
        return json_examples.classification_json(self._calls.classify(request, deadline).result)

    def _regress(self, spec: model_pb2.ModelSpec, body: bytes, deadline: float) -> bytes:
        request = regression_pb2.RegressionRequest(model_spec=spec)
        _fill_request(request, body)
        return json_examples.regression_json(self._calls.regress(request, deadline).result)

    def _model_metadata(self, spec: model_pb2.ModelSpec) -> bytes:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec, metadata_field=[metadata.SIGNATURE_DEF]
        )
        response = self._calls.model_metadata(request)
        signature_map = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[metadata.SIGNATURE_DEF].Unpack(signature_map)
        return json_response.dumps(
            {
                "model_spec": _to_dict(response.model_spec),
                "metadata": {metadata.SIGNATURE_DEF: _to_dict(signature_map)},
            }
        )


def _fill_request(request: Any, body: bytes) -> None:
    document = json_request.parse_object(body)
    request.model_spec.signature_name = json_request.signature_name(document)
    json_examples.fill_input(document, request.input)


def _host_name(host: str) -> str:
    """The name in a Host header, without its port and the brackets of IPv6."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def error_response(error: status.StatusError) -> Response:
    """The answer to a request that is refused."""
    answer = json_response.dumps({"error": error.message})
    return Response(http_code(error.code), answer, {"Content-Type": "application/json"})


def http_code(code: grpc.StatusCode) -> int:
    """The HTTP status code of a gRPC one."""
    return _HTTP_CODES.get(code, 500)


def _is_gzip(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Encoding", "").strip().lower() == "gzip"


def _stated_size(body: bytes) -> int:
    """The size that a gzip body says to have when inflated."""
    return int.from_bytes(body[-4:], "little")


def _inflated(body: bytes) -> bytes:
    """Returns a gzip body as it was before.

    Raises:
      StatusError: INVALID_ARGUMENT: it is no gzip, or larger than MAX_INFLATED_BYTES, or large where it
        states that it is not.
    """
    most = MAX_INFLATED_BYTES if _stated_size(body) > LARGE_BYTES else LARGE_BYTES
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(body, most)
    except zlib.error:
        raise status.invalid_argument("the request's body is not gzip as its header says") from None
    if inflater.unconsumed_tail:
        if most == MAX_INFLATED_BYTES:
            problem = f"has more than {most} bytes when inflated"
        else:
            problem = (
                f"ends with a size of {_stated_size(body)} bytes, and inflates to {most} or more"
            )
        raise status.invalid_argument(f"the request's body {problem}")
    if not inflater.eof:
        raise status.invalid_argument("the request's gzip body is cut off")
    return inflated


def _spec(name: str, version: str | None, label: str | None) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=urllib.parse.unquote(name))
    if version:
        number = version.lstrip("0")  # Python reads no number of more than 4,300 digits
        if len(number) > _MOST_DIGITS or int(number or 0) >= 2**63:
            raise status.invalid_argument(f"Failed to convert version: {version} to numeric.")
        spec.version.value = int(number or 0)
    if label:
        spec.version_label = urllib.parse.unquote(label)
    return spec


def _to_dict(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, **{_WITH_DEFAULTS: True}
    )
