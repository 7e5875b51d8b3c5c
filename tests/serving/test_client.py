import concurrent.futures
import contextlib
import http.server
import socket
import threading
import time

import grpc
import numpy as np
import pytest

from emotion_faces import client, tensors
from emotion_faces.errors import UserError
from emotion_faces.protos import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)


class FakeServer(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """Refuses a request that holds the image b"bad"; fails the first `unavailable` calls."""

    def __init__(self):
        self.batches = []
        self.unavailable = 0
        self.refusal = (grpc.StatusCode.UNAVAILABLE, "not now")
        self.code = None
        self.row = np.array([0.75, 0.25], np.float32)
        self.lost_rows = 0

    def Predict(self, request, context):  # noqa: N802
        images = list(request.inputs["image_bytes"].string_val)
        self.batches.append(images)
        if self.unavailable:
            self.unavailable -= 1
            context.abort(*self.refusal)
        if self.code is not None:
            context.abort(self.code, "no")
        if b"bad" in images:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad image")
        rows = len(images) - self.lost_rows
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = 7
        labels = np.array([b"happy"] * rows, object)
        classes = np.array([[b"happy", b"sad"]] * rows, object)
        probabilities = np.tile(self.row, (rows, 1))
        response.outputs["label"].CopyFrom(tensors.to_proto(labels))
        response.outputs["classes"].CopyFrom(tensors.to_proto(classes))
        response.outputs["probabilities"].CopyFrom(tensors.to_proto(probabilities))
        return response

    def GetModelStatus(self, request, context):  # noqa: N802
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=7, state=20)
        return response


@contextlib.contextmanager
def serving(address="127.0.0.1:0"):
    servicer = FakeServer()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(servicer, server)
    servicer.port = server.add_insecure_port(address)
    servicer.address = f"127.0.0.1:{servicer.port}"
    servicer.stop = lambda: server.stop(None).wait()
    server.start()
    yield servicer
    servicer.stop()


@pytest.fixture
def fake():
    with serving() as servicer:
        yield servicer


@contextlib.contextmanager
def name_server(*addresses):
    """Yields HOST:PORT of a server of DNS in which every name has these IPv4 addresses, and no others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))

        def answer():
            while len(asked := listener.recvfrom(512)) == 2 and len(asked[0]) > 12:
                request, client_address = asked
                end = request.index(b"\0", 12) + 5  # of the question: name, type, class
                is_a = request[end - 4 : end - 2] == b"\0\1"
                records = addresses if is_a else ()
                reply = request[:2] + b"\x81\x80\0\1" + bytes([0, len(records)]) + bytes(4)
                reply += request[12:end]
                for address in records:  # the question's name, A, IN, 5 s, 4 bytes
                    reply += b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4" + socket.inet_aton(address)
                listener.sendto(reply, client_address)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.sendto(b"", listener.getsockname())
        thread.join()


HAPPY = client.Prediction("happy", {"happy": 0.75, "sad": 0.25}, 7)


def test_batches_in_order(fake):
    with client.EmotionClient(fake.address, batch_size=2) as emotion:
        assert emotion.predict([b"a", b"b", b"c"]) == [HAPPY] * 3
    assert fake.batches == [[b"a", b"b"], [b"c"]]


def test_calls_go_in_turn_to_all_addresses_of_a_name():
    """As those of a headless service's pods; one that ends is left out, without an error."""
    with (
        serving() as first,
        serving(f"127.0.0.2:{first.port}") as second,
        name_server("127.0.0.1", "127.0.0.2") as dns,
        client.EmotionClient(f"dns://{dns}/model-server.test:{first.port}") as emotion,
    ):
        give_up_at = time.monotonic() + 60
        while not (first.batches and second.batches) and time.monotonic() < give_up_at:
            emotion.predict([b"a"])
        before = len(first.batches), len(second.batches)
        for _ in range(40):
            assert emotion.predict([b"a"]) == [HAPPY]
        assert (len(first.batches) - before[0], len(second.batches) - before[1]) == (20, 20)
        second.stop()
        before = len(first.batches), len(second.batches)
        for _ in range(20):
            assert emotion.predict([b"a"]) == [HAPPY]
        assert (len(first.batches) - before[0], len(second.batches) - before[1]) == (20, 0)


@pytest.mark.parametrize("scheme", ["", "dns:///", "ipv4:"])
def test_targets_of_one_address(fake, scheme):
    with client.EmotionClient(scheme + fake.address) as emotion:
        assert emotion.predict([b"a"]) == [HAPPY]


def test_no_images(fake):
    with client.EmotionClient(fake.address) as emotion:
        assert emotion.predict([]) == []
    assert fake.batches == []


def test_a_bad_image_is_told_apart(fake):
    with client.EmotionClient(fake.address) as emotion:
        answers = emotion.predict([b"a", b"b", b"bad", b"c"])
    bad = client.ImageError("INVALID_ARGUMENT", "bad image")
    assert answers == [HAPPY, HAPPY, bad, HAPPY]


@pytest.mark.parametrize("row", [[np.nan, 1], [0.5, 0.3, 0.2], [1, 0]])
def test_numbers_that_are_no_probabilities_are_no_answer(fake, row):
    fake.row = np.array(row)
    with (
        client.EmotionClient(fake.address) as emotion,
        pytest.raises(UserError, match=r"answers no probabilities for 2 pictures"),
    ):
        emotion.predict([b"a", b"b"])


def test_fewer_answers_than_pictures_are_none(fake):
    fake.lost_rows = 1
    with (
        client.EmotionClient(fake.address) as emotion,
        pytest.raises(
            UserError, match=r"for 2 pictures \(found shapes \{'probabilities': \[1, 2\]"
        ),
    ):
        emotion.predict([b"a", b"b"])


def test_retries_unavailable(fake):
    fake.unavailable = 2
    with client.EmotionClient(fake.address) as emotion:
        assert emotion.predict([b"a"]) == [HAPPY]
    assert len(fake.batches) == 3


def test_retries_a_server_whose_threads_are_all_busy(fake):
    """As TensorFlow Serving answers then: RESOURCE_EXHAUSTED without a word."""
    fake.unavailable, fake.refusal = 2, (grpc.StatusCode.RESOURCE_EXHAUSTED, "")
    with client.EmotionClient(fake.address) as emotion:
        assert emotion.predict([b"a"]) == [HAPPY]
    assert len(fake.batches) == 3
    fake.unavailable = 100
    with (
        client.EmotionClient(fake.address) as emotion,
        pytest.raises(client.CallError, match=r"is busy.*--grpc_max_threads=128"),
    ):
        emotion.predict([b"a"])
    assert len(fake.batches) == 3 + 5


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.NOT_FOUND])
def test_retries_nothing_else(fake, code):
    fake.code = code
    with (
        client.EmotionClient(fake.address) as emotion,
        pytest.raises(client.CallError, match=f"answered {code.name}: no") as raised,
    ):
        emotion.predict([b"a"])
    assert raised.value.code is code
    assert len(fake.batches) == 1


def test_no_server():
    with (
        client.EmotionClient("127.0.0.1:1", timeout_secs=30) as emotion,
        pytest.raises(
            client.CallError,
            match=r"model server at 127\.0\.0\.1:1 \(the connection was refused\); start one",
        ),
    ):
        emotion.predict([b"a"])


def test_a_host_that_nobody_knows():
    with (
        client.EmotionClient("nobody.invalid:1", timeout_secs=30) as emotion,
        pytest.raises(client.CallError, match=r"\(there is no host of that name\); start one"),
    ):
        emotion.predict([b"a"])


def test_a_rest_port_is_told():
    with (
        http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as rest,
        client.EmotionClient(f"127.0.0.1:{rest.server_port}", timeout_secs=30) as emotion,
    ):
        threading.Thread(target=rest.serve_forever, daemon=True).start()
        with pytest.raises(client.CallError, match=r"\(what listens there does not speak gRPC"):
            emotion.predict([b"a"])
        rest.shutdown()


def test_waits_no_longer_than_told(fake):
    with (
        client.EmotionClient(fake.address) as emotion,
        pytest.raises(client.CallError, match=r"not ready within 0\.3 s"),
    ):
        emotion.wait_until_ready(0.3)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((48, 48, 1), np.float32), r"found float32 \[48, 48, 1\]"),
        (np.zeros((1, 48, 48, 1), np.uint8), "found uint8"),
        (np.full((1, 48, 48, 1), 255.0), "divide 8-bit values by 255"),
        (np.full((1, 48, 48, 1), np.nan), r"must lie in \[0, 1\]"),
    ],
)
def test_pixels_are_checked(pixels, message):
    with client.EmotionClient("127.0.0.1:1") as emotion, pytest.raises(ValueError, match=message):
        emotion.predict_pixels(pixels)


def test_a_port_that_closes_the_connection_may_want_tls():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def close_each():
            with contextlib.suppress(OSError):
                while True:
                    listening.accept()[0].close()

        threading.Thread(target=close_each, daemon=True).start()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        with (
            client.EmotionClient(address, timeout_secs=10) as emotion,
            pytest.raises(client.CallError, match=r"closes the connection: .* or it wants TLS"),
        ):
            emotion.predict([b"x"])
        listening.shutdown(socket.SHUT_RDWR)
