"""The configuration files in protobuf's text format.

tensorflow-serving-api has ModelServerConfig and not the three others; their messages are built here
from their fields, in a pool of their own.
"""

from __future__ import annotations

import os
import pathlib
from typing import Any, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from emotion_faces.errors import UserError
from emotion_faces.model_server import batching
from emotion_faces.protos import model_server_config_pb2

_PACKAGE = "emotion.serving"
_Field = descriptor_pb2.FieldDescriptorProto
# Fields by message, each with its kind: a scalar type, or the name of a message above it.
_MESSAGES: dict[str, dict[str, Any]] = {
    "Int64Value": {"value": _Field.TYPE_INT64},
    "BoolValue": {"value": _Field.TYPE_BOOL},
    "StringValue": {"value": _Field.TYPE_STRING},
    "BatchingParameters": {
        "max_batch_size": "Int64Value",
        "batch_timeout_micros": "Int64Value",
        "max_enqueued_batches": "Int64Value",
        "num_batch_threads": "Int64Value",
        "thread_pool_name": "StringValue",
        "allowed_batch_sizes": [_Field.TYPE_INT64],
        "pad_variable_length_inputs": _Field.TYPE_BOOL,
        "enable_large_batch_splitting": "BoolValue",
        "max_execution_batch_size": "Int64Value",
    },
    "PrometheusConfig": {"enable": _Field.TYPE_BOOL, "path": _Field.TYPE_STRING},
    "MonitoringConfig": {"prometheus_config": "PrometheusConfig"},
    "SSLConfig": {
        "server_key": _Field.TYPE_STRING,
        "server_cert": _Field.TYPE_STRING,
        "custom_ca": _Field.TYPE_STRING,
        "client_verify": _Field.TYPE_BOOL,
    },
}
_Message = TypeVar("_Message")


def _message_class(name: str) -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="emotion_serving_config.proto", package=_PACKAGE, syntax="proto3"
    )
    for message_name, fields in _MESSAGES.items():
        added = file.message_type.add(name=message_name)
        for number, (field_name, kind) in enumerate(fields.items(), start=1):
            repeated = isinstance(kind, list)
            field = added.field.add(
                name=field_name,
                number=number,
                label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
            )
            kind = kind[0] if repeated else kind
            if isinstance(kind, str):
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")
    if hasattr(message_factory, "GetMessageClass"):  # protobuf 4.22 and later
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


def _read(path: str, message: _Message) -> _Message:
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the file '{path}' can't be read: {error}") from error
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise UserError(f"Invalid protobuf file: '{path}': {error}") from error
    return message


def read_model_config(path: str) -> model_server_config_pb2.ModelServerConfig:
    """A --model_config_file.

    Raises:
      UserError: It can't be read or parsed.
    """
    return _read(path, model_server_config_pb2.ModelServerConfig())


def read_monitoring_config(path: str) -> Any:
    """A --monitoring_config_file: `prometheus_config { enable path }`.

    Raises:
      UserError: It can't be read or parsed.
    """
    return _read(path, _message_class("MonitoringConfig")())


def read_ssl_config(path: str) -> Any:
    """A --ssl_config_file: PEM texts `server_key`, `server_cert`, `custom_ca`; `client_verify`.

    Raises:
      UserError: It can't be read or parsed.
    """
    return _read(path, _message_class("SSLConfig")())


def read_batching_options(path: str) -> batching.BatchingOptions:
    """A --batching_parameters_file, or TensorFlow Serving's defaults where `path` is ''.

    Raises:
      UserError: It can't be read or parsed, or its numbers contradict each other.
    """
    parameters = _message_class("BatchingParameters")()
    if path:
        _read(path, parameters)

    def value(name: str, default: int) -> int:
        return getattr(parameters, name).value if parameters.HasField(name) else default

    max_batch_size = value("max_batch_size", 1000)
    split = value("enable_large_batch_splitting", 0)
    max_run_size = value("max_execution_batch_size", max_batch_size) if split else max_batch_size
    allowed = tuple(parameters.allowed_batch_sizes)
    num_batch_threads = value("num_batch_threads", os.cpu_count() or 1)
    max_enqueued_batches = value("max_enqueued_batches", 10)
    for name, number in (
        ("max_batch_size", max_batch_size),
        ("max_execution_batch_size", max_run_size),
        ("num_batch_threads", num_batch_threads),
        ("max_enqueued_batches", max_enqueued_batches),
    ):
        if number < 1:
            raise UserError(f"{path}: {name} must be positive; was {number}")
    if list(allowed) != sorted(set(allowed)):
        raise UserError(f"{path}: allowed_batch_sizes entries must be monotonically increasing")
    if allowed and allowed[-1] != max_run_size:
        raise UserError(
            f"{path}: Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
            f"{allowed[-1]}; expected {max_run_size}"
        )
    return batching.BatchingOptions(
        max_batch_size=max_run_size,
        batch_timeout_secs=value("batch_timeout_micros", 0) / 1e6,
        num_batch_threads=num_batch_threads,
        runs_per_key=num_batch_threads,
        max_enqueued_rows=max_enqueued_batches * max_batch_size,
        allowed_batch_sizes=allowed,
        split_large_batches=bool(split),
    )
