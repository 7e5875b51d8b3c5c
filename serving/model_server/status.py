"""The error of a call: a gRPC status code and TensorFlow Serving's text for it."""

from __future__ import annotations

import re

import grpc


class StatusError(Exception):
    """Ends a call, or a load, with a status code and a message for the caller."""

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"


def invalid_argument(message: str) -> StatusError:
    """The request itself is wrong."""
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, message)


def failed_precondition(message: str) -> StatusError:
    """The request is well formed, and the model or the server is not in a state to serve it."""
    return StatusError(grpc.StatusCode.FAILED_PRECONDITION, message)


def not_found(message: str) -> StatusError:
    """No such model, version or file."""
    return StatusError(grpc.StatusCode.NOT_FOUND, message)


def unavailable(message: str) -> StatusError:
    """Not now; the same call may succeed later."""
    return StatusError(grpc.StatusCode.UNAVAILABLE, message)


def unimplemented(message: str) -> StatusError:
    """The contract has no such thing."""
    return StatusError(grpc.StatusCode.UNIMPLEMENTED, message)


_CODES = {code.value[0]: code for code in grpc.StatusCode}


# Places in the graph: TensorFlow's `[[{{node a/b}}]]`, `[[{{function_node f}}{{node a/b}}]]`,
# `[[a/b/_3]]` and `{{function_node f}}`.
_NODES = re.compile(
    r"\s*\[\[(?:(?:\{\{[^}]*\}\}\s*)+|[\w.:/-]+)\]\]|\{\{(?:function_)?node [^}]*\}\}\s*"
)
_FIRST_ROOT = re.compile(
    r"\d+ root error\(s\) found\.\s*\(0\) (?:[A-Z_]+: )?(.*?)\s*(?:\(1\) |$)", re.S
)


def one_line(message: str) -> str:
    """What TensorFlow says of a failed run, on one line and without its places in the graph.

    Deviation: TensorFlow Serving's text goes on with the nodes, over several lines.
    """
    message = message.removeprefix("Graph execution error:\n\n")
    message = message.partition("\n\nOriginal stack trace")[0]
    if several := _FIRST_ROOT.match(message):
        message = several[1]
    message = re.sub(r"\s*\d+ successful operations\.\s*\d+ derived errors ignored\.", "", message)
    return " ".join(_NODES.sub("", message).split())


def from_tensorflow(error: Exception) -> StatusError:
    """The StatusError of an exception out of TensorFlow; INTERNAL where it has no code of its own."""
    if isinstance(error, StatusError):
        return error
    code = getattr(error, "error_code", None)
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    return StatusError(
        _CODES.get(code, grpc.StatusCode.INTERNAL)
        if code is not None
        else grpc.StatusCode.INTERNAL,
        one_line(message),
    )
