"""Sends hostile requests to both ports and checks that the server survives them unharmed.

`python -m benchmarks.serving.fuzz --requests 12000` starts the server (SERVING_COMMAND replaces the
command) and sends mutated protobufs, tensors of odd shapes and types, image bombs, mutated JSON and
broken HTTP. Every few hundred requests it checks known answers; at the end it prints what came back
and how memory grew. HandleReloadConfigRequest is left out: a valid one may unload the models.
"""

import argparse
import collections
import dataclasses
import gzip
import json
import pathlib
import random
import shutil
import socket
import sys
import tempfile

import grpc
import numpy as np
import psutil
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    regression_pb2,
)

from benchmarks.serving.hostile_images import hostile_images, jpeg
from tests.serving.conformance import fixture_models, harness
from tests.serving.conformance.fixture_models import predict_request

MIB = 1 << 20
CHECK_EVERY = 250
PREDICTION = "/tensorflow.serving.PredictionService/"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"


def odd_tensor(rng: random.Random) -> tensor_pb2.TensorProto:
    """Returns a TensorProto with an odd type, shape or content, valid by chance only."""
    tensor = tensor_pb2.TensorProto()
    # 20 is DT_RESOURCE, 21 DT_VARIANT; above 100 are the reference types of TF1; 77 is none.
    tensor.dtype = rng.choice([1, 1, 1, 7, 7, 0, 2, 3, 9, 14, 19, 20, 21, 22, 23, 101, 77])
    sizes = [0, 1, 1, 2, 3, 48, 48, 2304, -1, -2, 2**31, 2**40, 2**62]
    for _ in range(rng.choice([0, 1, 1, 2, 3, 4, 4, 5, 6, 300])):
        tensor.tensor_shape.dim.add().size = rng.choice(sizes)
    if rng.random() < 0.05:
        tensor.tensor_shape.unknown_rank = True
    values = [float("nan"), float("inf"), -float("inf"), 1e38, 0.0, -0.0, 0.5]
    kind = rng.randrange(6)
    if kind == 0:
        tensor.tensor_content = rng.randbytes(rng.choice([0, 1, 4, 9216, 9215, 100_000]))
    elif kind == 1:
        tensor.float_val.extend(rng.choices(values, k=rng.choice([0, 1, 2, 2304, 2305])))
    elif kind == 2:
        tensor.string_val.extend(rng.choices(_IMAGES, k=rng.choice([1, 1, 2, 5])))
    elif kind == 3:
        tensor.int_val.extend([rng.randint(-(2**31), 2**31 - 1)] * rng.choice([1, 3]))
    elif kind == 4:
        tensor.variant_val.add(type_name=rng.choice(["", "tensorflow::TensorList", "x" * 999]))
    else:
        tensor.resource_handle_val.add(device="/cpu:0", container="c", name="n", hash_code=7)
    return tensor


_IMAGES: list[bytes] = []  # filled by `main` and the test: bombs take a second to build


def prepare_images() -> None:
    """Builds the hostile images once."""
    if not _IMAGES:
        _IMAGES.extend(hostile_images())


def seeds() -> list[tuple[str, object]]:
    """Returns valid (method, request) pairs from which the mutated ones are made."""
    pixels = np.zeros((1, 48, 48, 1), np.float32)
    example = tf.train.Example()
    example.features.feature["image"].bytes_list.value.append(jpeg())
    example.features.feature["x"].float_list.value.extend([1.0] * 7)
    classify = classification_pb2.ClassificationRequest()
    classify.model_spec.name, classify.model_spec.signature_name = "emotion", "classify"
    classify.input.example_list.examples.append(example)
    regress = regression_pb2.RegressionRequest()
    regress.model_spec.name, regress.model_spec.signature_name = "signatures", "regress"
    regress.input.example_list_with_context.examples.append(example)
    regress.input.example_list_with_context.context.CopyFrom(example)
    multi = inference_pb2.MultiInferenceRequest(input=regress.input)
    for method in ("classify", "regress"):
        task = multi.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "signatures", method
    metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    metadata.model_spec.name = "emotion"
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "emotion"
    return [
        (PREDICTION + "Predict", predict_request("emotion", "pixels", pixels=pixels)),
        (PREDICTION + "Predict", predict_request("emotion", image_bytes=[jpeg()])),
        (PREDICTION + "Predict", predict_request("half_plus_version", x=[1.0, 2.0])),
        (PREDICTION + "Predict", predict_request("signatures", "strings", text=["a", "b"])),
        (PREDICTION + "Predict", predict_request("signatures", "two_inputs", a=[1.0], b=[2.0])),
        (PREDICTION + "Classify", classify),
        (PREDICTION + "Regress", regress),
        (PREDICTION + "MultiInference", multi),
        (PREDICTION + "GetModelMetadata", metadata),
        (STATUS, status),
    ]


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """Returns the bytes after one to four flips, cuts, repeats, inserts or swaps."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed) + 1)
        kind = rng.randrange(5)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del changed[at : at + rng.choice([1, 2, 8, 100])]
        elif kind == 2:
            changed[at:at] = changed[at : at + rng.choice([1, 4, 64])] * rng.choice([1, 2, 50])
        elif kind == 3:
            changed[at:at] = rng.choice([b"\xff" * 10, b"\x00" * 4, b"\x80" * 11, b"\n\x7f"])
        else:
            changed[at : at + 2] = rng.randbytes(2)
    return bytes(changed)


def grpc_request(rng: random.Random, valid) -> tuple[str, bytes]:
    """Returns a (method, message) pair: a mutated message, or a Predict with an odd tensor."""
    kind = rng.randrange(10)
    method, request = rng.choice(valid)
    if kind < 3:
        # Mutations near the start hit names and shapes, the rest of a large tensor is dull.
        data = request.SerializeToString()
        cut = min(len(data), rng.choice([60, 200, len(data)]))
        return method, mutate_bytes(rng, data[:cut]) + data[cut:]
    if kind < 4:
        return rng.choice(valid)[0], request.SerializeToString()  # another method's message
    model, signature, name = rng.choice(
        [
            ("emotion", "pixels", "pixels"),
            ("emotion", "", "image_bytes"),
            ("emotion", "classify", "inputs"),
            ("signatures", "echo", "x"),
            ("signatures", "", "x"),
            ("signatures", "half", "h"),
            ("half_plus_version", "", "x"),
        ]
    )
    if name == "image_bytes" and rng.random() < 0.7:
        tensor = tf.make_tensor_proto(rng.choices(_IMAGES, k=rng.choice([1, 1, 2, 4])))
    else:
        tensor = odd_tensor(rng)
    data = predict_request(model, signature, **{name: tensor}).SerializeToString()
    return PREDICTION + "Predict", data


_ODD_PATHS = [
    "/v1/models/%",
    "/v1/models/%00%ff:predict",
    "/../../etc/passwd",
    "//",
    "*",
    "/v1/\x01",
    f"/v1/models/{'m' * 9000}:predict",
    f"/v1/models/emotion/versions/{'9' * 40}",
    "/v1/models/emotion/versions/99999999999999999999:predict",
]


def rest_request(rng: random.Random) -> tuple[bytes, bool]:
    """Returns one HTTP request, its body, path, header or framing mutated, and whether it is whole.

    A request that is not whole, by its length or its framing, may be waited on for more.
    """
    model, body = rng.choice(
        [
            ("half_plus_version", {"instances": [1.0, 2.0]}),
            ("half_plus_version", {"inputs": {"x": [1.0]}}),
            ("signatures", {"instances": [{"x": [1.0, 2.0, 3.0]}]}),
            ("signatures", {"signature_name": "strings", "inputs": [{"b64": "YWJj"}, "d"]}),
            ("signatures", {"signature_name": "classify", "examples": [{"x": [0.5] * 7}]}),
            ("emotion", {"signature_name": "pixels", "instances": [[[[0.5]] * 48] * 48]}),
            ("emotion", {"instances": [{"b64": "bm90IGFuIGltYWdl"}]}),
        ]
    )
    data = json.dumps(body).encode()
    path = f"/v1/models/{model}:{rng.choice(['predict', 'predict', 'classify', 'regress'])}"
    headers = {"Host": "localhost", "Connection": "close"}
    method = rng.choice(["POST"] * 8 + ["GET", "PUT", "OPTIONS", "HEAD", "X" * 50])
    kind = rng.randrange(14)
    if kind < 6:
        data = mutate_bytes(rng, data)
    elif kind == 6:
        data = rng.choice([b"[", b'{"instances":[', b'{"a":']) * rng.choice([100, 5000, 200_000])
    elif kind == 7:
        number = rng.choice([b"1e999999", b"-" + b"9" * 5000, b"1e-400", b"0x10", b"--1", b"1."])
        data = b'{"instances": [' + number + b"]}"
    elif kind == 8:
        path = rng.choice(_ODD_PATHS)
    elif kind == 9:
        headers["Content-Encoding"] = rng.choice(["gzip", "deflate", "br", "gzip, gzip"])
        data = rng.choice([data, gzip.compress(data), gzip.compress(data)[:-6], _BOMB])
    elif kind == 10:
        headers["Content-Length"] = rng.choice(["-1", "abc", "99999999999", "1", "1e3", "+5"])
    elif kind == 11:
        headers["Transfer-Encoding"] = "chunked"
        data = rng.choice([b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"ffffffffff\r\nx", b"-1\r\n"])
    elif kind == 12:
        headers[rng.choice(["X-Long", "Bad Name", "", "Expect"])] = "v" * rng.choice([1, 70_000])
    else:
        data = json.dumps({"instances": [{"b64": "A" * rng.choice([1, 3, 4, 100_000])}]}).encode()
    headers.setdefault("Content-Length", str(len(data)))
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    request = head.encode("latin-1") + b"\r\n" + data
    if rng.random() < 0.03:
        return request[: rng.randrange(len(request))], False
    return request, kind not in (10, 11)


_BOMB = gzip.compress(b" " * (120 * MIB))


def send_rest(server, request: bytes, whole: bool) -> str:
    """Sends the bytes and returns the answer's status code, or how the connection ended."""
    address = (server.host, server.rest_port)
    with socket.create_connection(address, timeout=20 if whole else 0.2) as connection:
        try:
            connection.sendall(request)
            answer = connection.recv(64)
        except TimeoutError:
            return "no answer" if whole else "waits for more"
        except OSError:
            return "closed"
    return answer.split(b" ", 2)[1].decode("latin-1") if answer.startswith(b"HTTP/") else "closed"


def send_grpc(channel, method: str, message: bytes) -> str:
    """Sends the message and returns the code's name."""
    try:
        channel.unary_unary(method)(message, timeout=20)
    except grpc.RpcError as error:
        if "Exception deserializing request" in (error.details() or ""):
            return "not a message"  # gRPC's own answer, INTERNAL, to bytes that do not parse
        if "Exception calling application" in (error.details() or ""):
            return f"UNHANDLED {error.details()[:200]}"
        return error.code().name
    return "OK"


def known_answers(server) -> list[float]:
    """Returns answers that must stay the same: one of each model, over both ports."""
    pixels = np.random.default_rng(1).random((1, 48, 48, 1), np.float32)
    image = predict_request("emotion", image_bytes=[jpeg()])
    rest = server.rest("/v1/models/half_plus_version:predict", {"instances": [2.0]})
    return [
        *server.predict(predict_request("half_plus_version", x=[2.0])).outputs["y"].float_val,
        *server.predict(image).outputs["probabilities"].float_val,
        *server.predict(predict_request("emotion", "pixels", pixels=pixels))
        .outputs["probabilities"]
        .float_val,
        *rest.json()["predictions"],
    ]


@dataclasses.dataclass
class Outcome:
    """What came back: counts and the first request by (port, code), and bytes resident."""

    codes: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    first: dict = dataclasses.field(default_factory=dict)
    resident: list[int] = dataclasses.field(default_factory=list)

    def add(self, port: str, code: str, request) -> None:
        """Counts one answer."""
        self.codes[port, code] += 1
        self.first.setdefault((port, code), request)

    def broken(self) -> dict:
        """Returns outcomes that no request may have, with the first request that had each."""
        bad = (
            "UNHANDLED",
            "UNKNOWN",
            "INTERNAL",
            "UNAVAILABLE",
            "DEADLINE_EXCEEDED",
            "no answer",
            "500",
        )
        return {key: self.first[key] for key in self.codes if key[1].startswith(bad)}


def fuzz(server, requests: int, seed: int = 0) -> Outcome:
    """Sends `requests` hostile requests, half to each port, and looks at memory now and then.

    Raises AssertionError as soon as a known answer is wrong.
    """
    prepare_images()
    rng, outcome = random.Random(seed), Outcome()
    valid = seeds()
    before = known_answers(server)
    process = psutil.Process(server.process.pid) if server.process else None
    for count in range(requests):
        if count % 2:
            request = rest_request(rng)
            outcome.add("rest", send_rest(server, *request), request[0])
        else:
            request = grpc_request(rng, valid)
            outcome.add("grpc", send_grpc(server.channel, *request), request)
        if process and process.status() == psutil.STATUS_ZOMBIE:
            raise ConnectionError(f"the server ended at request {count}: {request}")
        if count % CHECK_EVERY == CHECK_EVERY - 1 or count == requests - 1:
            np.testing.assert_allclose(known_answers(server), before, atol=1e-5)
            if process:
                outcome.resident.append(process.memory_info().rss)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=12000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="serving-fuzz-"))
    try:
        fixture_models.write_all(directory / "models")
        flags = [flag.format(dir=directory / "models") for flag in fixture_models.SHARED_FLAGS]
        with harness.running(directory / "log", *flags) as server:
            try:
                outcome = fuzz(server, options.requests, options.seed)
            except OSError as error:
                raise SystemExit(f"{str(error)[:3000]}\n{server.output()[-4000:]}") from None
            threads = psutil.Process(server.process.pid).num_threads()
    finally:
        shutil.rmtree(directory)
    report(outcome, options, threads)
    return 1 if outcome.broken() else 0


def report(outcome: Outcome, options, threads: int) -> None:
    """Prints counts, memory and every outcome that must not be."""
    for (port, code), count in sorted(outcome.codes.items()):
        print(f"{port:5} {code:20} {count:7}")
    print(f"{sum(outcome.codes.values())} requests, seed {options.seed}; known answers all right")
    curve = [one / MIB for one in outcome.resident]
    tenth = max(1, len(curve) // 10)
    print("resident MiB by tenths:", *(f"{one:.0f}" for one in curve[tenth - 1 :: tenth]))
    settled = curve[len(curve) // 2]
    print(f"at the end / at half: {curve[-1] / settled:.3f}; threads {threads}")
    broken = outcome.broken()
    print(f"outcomes that must not be: {len(broken) or 'none'}")
    for key, request in broken.items():
        print(f"  {key}: {str(request)[:600]}")


if __name__ == "__main__":
    sys.exit(main())
