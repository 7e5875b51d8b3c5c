"""Warm-up: the requests that a version brings with it, run before it takes any others."""

from __future__ import annotations

import logging
import time

import grpc

from emotion_faces.model_server import image_guard, inference, predict, runtime, servable, status
from emotion_faces.protos import prediction_log_pb2

REQUESTS_FILE = "assets.extra/tf_serving_warmup_requests"
"""TFRecords of PredictionLog, within the version's folder."""

MAX_RECORDS = 1000

_log = logging.getLogger(__name__)


def run_warmup(
    model: servable.Servable, limits: image_guard.ImageLimits, iterations: int = 1
) -> int:
    """Runs a version's warm-up requests, each `iterations` times; returns how many it has.

    Raises:
      StatusError: DATA_LOSS: no TFRecord file; INVALID_ARGUMENT: too many records, or one that is
        no PredictionLog; else as the request that failed.
    """
    path = model.version_dir / REQUESTS_FILE
    if not path.exists():
        return 0
    started = time.monotonic()
    count = 0
    try:
        for record in runtime.tf_record_iterator(str(path)):
            for _ in range(iterations):
                _run_record(model, _parse(record, str(path)), limits)
            count += 1
            if count > MAX_RECORDS:
                raise status.invalid_argument(
                    f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}"
                )
    except runtime.errors.DataLossError as error:
        raise status.StatusError(
            grpc.StatusCode.DATA_LOSS,
            f"{error.message}. Please verify your warmup data is in TFRecord format.",
        ) from error
    _log.info("ran %d warm-up requests of %s in %.3f s", count, path, time.monotonic() - started)
    return count


def _parse(record: bytes, path: str) -> prediction_log_pb2.PredictionLog:
    log = prediction_log_pb2.PredictionLog()
    try:
        log.ParseFromString(record)
    except Exception as error:  # DecodeError's class differs between protobuf's implementations
        raise status.invalid_argument(
            f"Failed to parse warmup record: {record[:64]!r} from {path}"
        ) from error
    return log


def _run_record(
    model: servable.Servable,
    log: prediction_log_pb2.PredictionLog,
    limits: image_guard.ImageLimits,
) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        predict.predict(model, log.predict_log.request, limits, None)
    elif kind == "classify_log":
        request = log.classify_log.request
        _run_examples(model, request, inference.CLASSIFY_METHOD, limits)
    elif kind == "regress_log":
        request = log.regress_log.request
        _run_examples(model, request, inference.REGRESS_METHOD, limits)
    elif kind == "multi_inference_log":
        inference.multi_inference(model, log.multi_inference_log.request, limits, None, False)
    else:
        raise status.unimplemented(f"Unsupported log_type for warmup: {kind}")


def _run_examples(
    model: servable.Servable, request: object, method: str, limits: image_guard.ImageLimits
) -> None:
    name = request.model_spec.signature_name  # type: ignore[attr-defined]
    signature = inference.find_signature(model, name, method, False)
    inference.run_examples(model, signature, request.input, limits, None)  # type: ignore[attr-defined]
