"""Clients for `benchmarks.serving.load`: one process of several threads, cheap on the CPU.

Clients share the cores with the server, so that what they spend is missing there. Requests are
encoded before the clock starts and answers are read after it stopped; in between there is a bare
gRPC call, or a request and an answer on a kept socket. It prints `ready` once connected and warm,
starts at a line on stdin, and prints latencies and failures as JSON.
"""

import argparse
import base64
import dataclasses
import json
import pathlib
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

TOLERANCE = 2e-3  # of a probability: batches of other sizes add in another order
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How to ask one server: an image to a request, a connection, an answer to probabilities."""

    encode: Callable[[bytes], bytes]
    connect: Callable[[int], Callable[[bytes], bytes]]
    decode: Callable[[bytes], Any]


def _encode_grpc(image: bytes) -> bytes:
    from emotion_faces import protos

    request = protos.predict_pb2.PredictRequest()
    request.model_spec.name = "emotion"
    tensor = request.inputs["image_bytes"]
    tensor.dtype = protos.types_pb2.DT_STRING
    tensor.tensor_shape.dim.add().size = 1
    tensor.string_val.append(image)
    return request.SerializeToString()


def _connect_grpc(port: int) -> Callable[[bytes], bytes]:
    import grpc

    options = [("grpc.use_local_subchannel_pool", 1)]  # a connection for each client
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    return lambda request: call(request, timeout=60)


def _decode_grpc(answer: bytes) -> Any:
    from emotion_faces import protos

    response = protos.predict_pb2.PredictResponse.FromString(answer)
    return response.outputs["probabilities"].float_val


def _connect_http(port: int) -> Callable[[bytes], bytes]:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(request: bytes) -> bytes:
        connection.sendall(request)
        answer = b""
        while True:
            part = connection.recv(65536)
            if not part:
                raise ConnectionError(f"the server hung up after {answer[:200]!r}")
            answer += part
            end = answer.find(b"\r\n\r\n") + 4
            if end > 3:
                length = _LENGTH.search(answer, 0, end)
                if length is None or not answer.startswith(b"HTTP/1.1 200 "):
                    raise AssertionError(f"answered {answer[:500]!r}")
                if len(answer) == end + int(length[1]):
                    return answer[end:]

    return call


def _http(path: str, wrap: Callable[[str], Any], unwrap: Callable[[Any], Any]) -> Protocol:
    """POST of wrap(base64 image) as JSON; unwrap(answer) are the probabilities."""

    def encode(image: bytes) -> bytes:
        body = json.dumps(wrap(base64.b64encode(image).decode()))
        return (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    return Protocol(encode, _connect_http, lambda answer: unwrap(json.loads(answer)))


def _v2_input(image: str) -> dict[str, Any]:
    tensor = {"name": "image_bytes", "shape": [1, 1], "datatype": "BYTES", "data": [image]}
    return {"inputs": [tensor | {"parameters": {"content_type": "base64"}}]}


def _triton_input(image: str) -> dict[str, Any]:
    tensor = {"name": "image_bytes", "shape": [1, 1], "datatype": "BYTES", "data": [image]}
    return {"inputs": [tensor]}


_TF_SERVING = _http(
    "/v1/models/emotion:predict",
    lambda image: {"instances": [{"b64": image}]},
    lambda answer: answer["predictions"][0]["probabilities"],
)
PROTOCOLS = {
    "grpc": Protocol(_encode_grpc, _connect_grpc, _decode_grpc),
    "rest": _TF_SERVING,
    "kserve": _TF_SERVING,
    "litserve": _http(
        "/predict", lambda image: {"b64": image}, lambda answer: answer["probabilities"]
    ),
    "bentoml": _http(
        "/predict", lambda image: {"images": [image]}, lambda answer: answer[0]["probabilities"]
    ),
    "mosec": _http(
        "/inference", lambda image: {"b64": image}, lambda answer: answer["probabilities"]
    ),
    "pytriton": _http(
        "/v2/models/emotion/infer",
        _triton_input,
        lambda answer: next(
            one["data"] for one in answer["outputs"] if one["name"] == "probabilities"
        ),
    ),
    "mlserver": _http(
        "/v2/models/emotion/infer", _v2_input, lambda answer: answer["outputs"][0]["data"]
    ),
}


def read_images(directory: pathlib.Path) -> list[bytes]:
    """The JPEGs in their order."""
    return [path.read_bytes() for path in sorted(directory.glob("*.jpg"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
    parser.add_argument("--images", type=pathlib.Path, required=True, help="folder of JPEGs")
    parser.add_argument("--expected", type=pathlib.Path, required=True, help="their probabilities")
    parser.add_argument("--secs", type=float, required=True)
    for name in ("--port", "--threads", "--offset"):
        parser.add_argument(name, type=int, required=True)
    options = parser.parse_args()
    kind = PROTOCOLS[options.protocol]
    expected = np.array(json.loads(options.expected.read_text()))
    requests = [kind.encode(image) for image in read_images(options.images)]
    calls = [kind.connect(options.port) for _ in range(options.threads)]
    answers: list[tuple[int, bytes]] = []
    for call in calls:  # lets a server that compiles or batches settle
        answers += [(index, call(requests[index])) for index in range(3)]
    print("ready", flush=True)
    sys.stdin.readline()
    latencies: list[float] = []
    failures: list[str] = []
    end = time.perf_counter() + options.secs

    def work(call: Callable[[bytes], bytes], offset: int) -> None:
        own, times, index = [], [], offset % len(requests)
        try:
            while (started := time.perf_counter()) < end:
                own.append((index, call(requests[index])))
                times.append(time.perf_counter() - started)
                index = (index + 1) % len(requests)
        except Exception as error:  # reported by the parent, which ends the measurement
            failures.append(repr(error))
        answers.extend(own)
        latencies.extend(times)

    threads = [
        threading.Thread(target=work, args=(call, options.offset + 7 * number))
        for number, call in enumerate(calls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, answer in answers:
        error = np.abs(np.ravel(kind.decode(answer)) - expected[index]).max()
        if not error <= TOLERANCE:
            failures.append(f"image {index}: off by {error}")
    json.dump({"latencies": latencies, "failures": failures}, sys.stdout)


if __name__ == "__main__":
    main()
