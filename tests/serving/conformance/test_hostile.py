"""Hostile input: a short fuzz of both ports, image bombs, and requests that do not fit."""

import io
import socket
import threading
import time

import numpy as np
import psutil
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import classification_pb2

from benchmarks.serving import fuzz, hostile_images
from tests.hostile_pictures import jpeg_of_scans
from tests.serving.conformance import fixture_models, harness
from tests.serving.conformance.fixture_models import predict_request
from tests.serving.conformance.harness import rpc_error

pytestmark = pytest.mark.slow
MIB = 1 << 20


@pytest.fixture(scope="module")
def victims(can_start, fixture_dir, tmp_path_factory):
    """Starts a server of these tests' own, and another one once that has died."""
    flags = [flag.format(dir=fixture_dir) for flag in fixture_models.SHARED_FLAGS]
    running = []

    def living():
        if not running or running[-1].process.poll() is not None:
            server = harness.spawn(tmp_path_factory.mktemp("victim") / "log", *flags)
            running.append(server)
            harness.wait_until_open(server)
        return running[-1]

    yield living
    for server in running:
        server.stop()


@pytest.fixture
def victim(victims):
    """A living server, which the test may end; each test has to find it alive at its own end."""
    server = victims()
    yield server
    assert server.process.poll() is None, f"it ended with {server.process.returncode}"


def resident_mib(server):
    return psutil.Process(server.process.pid).memory_info().rss / MIB


def test_fuzz_of_both_ports(victim):
    outcome = fuzz.fuzz(victim, requests=600, seed=5)
    assert sum(outcome.codes.values()) == 600
    assert outcome.broken() == {}
    # Answers of more than one kind: the requests got past the framing.
    assert {code for port, code in outcome.codes if port == "grpc"} >= {"OK", "INVALID_ARGUMENT"}
    assert {code for port, code in outcome.codes if port == "rest"} >= {"200", "400"}


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("png of 12000 x 12000", lambda: hostile_images.png_bomb(12000, 12000)),
        ("jpeg of 65500 x 65500", lambda: hostile_images.oversized_jpeg(65500)),
        ("gif frame over its screen", lambda: hostile_images.gif_bomb(48, 9000, 1)),
        ("gif of 80 frames", lambda: hostile_images.gif_bomb(1500, 1500, 80)),
        ("17 MiB", lambda: hostile_images.jpeg() + bytes(17 * MIB)),
    ],
)
def test_deviation_image_bombs_are_refused(victim, name, image):
    """Real TF Serving decodes whatever the graph decodes; here a stated limit comes first."""
    data = image()
    fuzz.known_answers(victim)
    before = resident_mib(victim)
    requests = [predict_request("emotion", image_bytes=[data])]
    example = tf.train.Example()
    example.features.feature["image"].bytes_list.value.append(data)
    requests.append(predict_request("emotion", "classify", inputs=[example.SerializeToString()]))
    for request in requests:
        code, text = rpc_error(victim.predict, request)
        assert code == "INVALID_ARGUMENT", name
        assert "limit" in text, text
    classify = classification_pb2.ClassificationRequest()
    classify.model_spec.name, classify.model_spec.signature_name = "emotion", "classify"
    classify.input.example_list.examples.append(example)
    assert rpc_error(victim.predictions.Classify, classify)[0] == "INVALID_ARGUMENT"
    assert resident_mib(victim) - before < 200


def test_deviation_wrong_rank_does_not_end_the_process(victim):
    """With oneDNN on, the rank alone aborts a process that lets it through (tensorflow#112555)."""
    for shape in [(48, 48, 1), (1, 2304), (1, 1, 48, 48, 1), (), (48,), (2, 48, 47, 1)]:
        request = predict_request("emotion", "pixels", pixels=np.zeros(shape, np.float32))
        code, text = rpc_error(victim.predict, request)
        assert code == "INVALID_ARGUMENT"
        assert "48,48,1" in text  # what was expected
    assert victim.process.poll() is None


def test_deviation_a_resource_tensor_does_not_end_the_process(victim):
    """60 bytes: TensorFlow aborts in parsing a DT_RESOURCE that is no scalar."""
    right = fuzz.known_answers(victim)
    for shape in ([2], [1], [], [0], [2, 3]):
        resource = tf.make_tensor_proto([0.0])
        resource.Clear()
        resource.dtype = tf.resource.as_datatype_enum
        for size in shape:
            resource.tensor_shape.dim.add(size=size)
        resource.resource_handle_val.add(name="r", device="d")
        for model, name in (("half_plus_version", "x"), ("emotion", "image_bytes")):
            request = predict_request(model, **{name: resource})
            assert rpc_error(victim.predict, request)[0] == "INVALID_ARGUMENT"
    np.testing.assert_allclose(fuzz.known_answers(victim), right, atol=1e-5)


@pytest.mark.parametrize("path", ["/v1/models/emotion", "/v1/models/emotion/metadata", "/"])
def test_deviation_a_get_with_a_long_body_does_not_end_the_process(victim, path):
    right = fuzz.known_answers(victim)
    answer = victim.rest(path, b"x" * 400_000, method="GET")
    assert answer.code in (200, 404)
    np.testing.assert_allclose(fuzz.known_answers(victim), right, atol=1e-5)


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"instances":', '{"instances":[[{"a":'])
def test_deviation_json_nested_deep_does_not_end_the_process(victim, opening):
    right = fuzz.known_answers(victim)
    closing = {"[": "]", "{": "}"}
    ends = "".join(closing[bracket] for bracket in reversed(opening) if bracket in closing)
    for body in (opening * 200_000, opening * 200_000 + "1" + ends * 200_000):
        for within in (body, '{"instances": ' + body + "}"):
            answer = victim.rest("/v1/models/half_plus_version:predict", within.encode())
            assert answer.code == 400
    np.testing.assert_allclose(fuzz.known_answers(victim), right, atol=1e-5)


def test_deviation_an_error_of_the_model_is_one_line_without_places_in_its_graph(victim):
    """Real TF Serving's goes on with the names of nodes over several lines."""
    broken = hostile_images.jpeg()[:60]
    code, text = rpc_error(victim.predict, predict_request("emotion", image_bytes=[broken]))
    assert code == "INVALID_ARGUMENT"
    assert "\n" not in text
    assert "{{node" not in text
    assert "[[" not in text


@pytest.mark.parametrize("dtype", [tf.float32, tf.string])
def test_deviation_a_tensor_that_states_a_size_without_sending_it_is_refused(victim, dtype):
    """TensorFlow repeats a lone value to any stated shape: 60 bytes take up gigabytes."""
    fuzz.known_answers(victim)
    before = resident_mib(victim)
    bomb = tf.make_tensor_proto([1.0] if dtype == tf.float32 else [b"x"], dtype)
    bomb.tensor_shape.dim[0].size = 1 << 28
    model, signature, name = ("half_plus_version", "", "x")
    if dtype == tf.string:
        model, signature, name = ("signatures", "strings", "text")
    code, text = rpc_error(victim.predict, predict_request(model, signature, **{name: bomb}))
    assert code in {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}
    assert "limit" in text, text
    assert resident_mib(victim) - before < 200


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_deviation_pixels_that_are_no_numbers_are_refused(victim, value):
    """With oneDNN the network answers them with a class, as if it had seen a face."""
    pixels = np.zeros((2, 48, 48, 1), np.float32)
    pixels[1, 7, 7, 0] = value
    code, text = rpc_error(victim.predict, predict_request("emotion", "pixels", pixels=pixels))
    assert (code, "NaN" in text) == ("INVALID_ARGUMENT", True)


def test_deviation_a_jpeg_of_many_scans_is_refused(victim):
    """Each of a progressive JPEG's scans costs a pass over the whole picture, however few bytes."""
    data = jpeg_of_scans(200)
    start = time.monotonic()
    code, text = rpc_error(victim.predict, predict_request("emotion", image_bytes=[data]))
    assert (code, "scans" in text) == ("INVALID_ARGUMENT", True)
    assert time.monotonic() - start < 5


def test_deviation_only_what_the_model_decodes_is_taken(victim):
    """The graph itself refuses these, in TensorFlow's words and after the work of a whole batch."""
    picture = Image.fromarray(np.arange(48 * 48 * 3, dtype=np.uint8).reshape(48, 48, 3))
    for mode, kind in [("RGB", "GIF"), ("RGB", "BMP"), ("RGB", "WEBP"), ("CMYK", "JPEG")]:
        file = io.BytesIO()
        picture.convert(mode).save(file, kind)
        request = predict_request("emotion", image_bytes=[file.getvalue()])
        code, text = rpc_error(victim.predict, request)
        assert (code, "convert it" in text) == ("INVALID_ARGUMENT", True), kind


def test_nan_and_empty_batches_leave_the_server_right(victim):
    right = fuzz.known_answers(victim)
    empty = predict_request("emotion", "pixels", pixels=np.zeros((0, 48, 48, 1), np.float32))
    # TF Serving's answer to no rows depends on oneDNN: none back, or an error.
    assert victim.predictions.Predict.future(empty, timeout=30).code().name in {
        "OK",
        "INVALID_ARGUMENT",
    }
    np.testing.assert_allclose(fuzz.known_answers(victim), right, atol=1e-5)


def test_slow_and_silent_connections_do_not_hold_up_others(victim):
    half_a_request = b"POST /v1/models/emotion:predict HTTP/1.1\r\nContent-Length: 100000\r\n\r\n{"
    idle = [socket.create_connection((victim.host, victim.rest_port)) for _ in range(200)]
    idle += [socket.create_connection((victim.host, victim.grpc_port)) for _ in range(50)]
    try:
        for connection in idle[:200]:
            connection.sendall(half_a_request)
        started = time.monotonic()
        fuzz.known_answers(victim)
        assert time.monotonic() - started < 5
    finally:
        for connection in idle:
            connection.close()
    deadline = time.monotonic() + 10
    while len(psutil.Process(victim.process.pid).net_connections("tcp")) > 30:
        assert time.monotonic() < deadline, "the server keeps connections that were closed"
        time.sleep(0.1)


def test_clients_that_go_away_are_forgotten(victim):
    fuzz.known_answers(victim)
    threads = psutil.Process(victim.process.pid).num_threads()

    def call_and_leave():
        request = predict_request("signatures", "slow", seconds=[0.2])
        with harness.insecure_channel(f"{victim.host}:{victim.grpc_port}") as channel:
            type(victim.predictions)(channel).Predict.future(request, timeout=5).cancel()

    callers = [threading.Thread(target=call_and_leave) for _ in range(40)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    time.sleep(1)
    fuzz.known_answers(victim)
    assert psutil.Process(victim.process.pid).num_threads() < threads + 80  # a bounded pool


def frame(kind, flags, stream, payload=b""):
    """An HTTP/2 frame."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


def header_block(*headers):
    """Headers as HPACK writes them without its table and without Huffman's code."""
    parts = [bytes([len(text)]) + text for header in headers for text in header]
    return b"".join(
        b"\0" + name + value for name, value in zip(parts[::2], parts[1::2], strict=True)
    )


HEADERS, RESET, SETTINGS, PING = 1, 3, 4, 6
END_HEADERS = 4
PREDICT_HEADERS = header_block(
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/tensorflow.serving.PredictionService/Predict"),
    (b":authority", b"localhost"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
)


def test_deviation_streams_that_are_reset_fill_no_memory(victim):
    """CVE-2023-44487: a stream that its caller resets at once does not count among the open ones."""
    fuzz.known_answers(victim)
    before = resident_mib(victim)
    with socket.create_connection((victim.host, victim.grpc_port), timeout=60) as caller:
        caller.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
        reading = threading.Thread(target=read_all, args=[caller])
        reading.start()
        for first in range(1, 200_000, 2000):
            caller.sendall(
                b"".join(
                    frame(HEADERS, END_HEADERS, stream, PREDICT_HEADERS)
                    + frame(RESET, 0, stream, (8).to_bytes(4, "big"))
                    for stream in range(first, first + 2000, 2)
                )
            )
        fuzz.known_answers(victim)
        assert resident_mib(victim) - before < 150
        caller.shutdown(socket.SHUT_WR)
        reading.join()


def test_deviation_pings_without_end_fill_no_memory(victim):
    fuzz.known_answers(victim)
    process = psutil.Process(victim.process.pid)
    before = most = resident_mib(victim)
    with socket.create_connection((victim.host, victim.grpc_port), timeout=60) as caller:
        caller.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
        reading = threading.Thread(target=read_all, args=[caller])
        reading.start()
        for _ in range(400):
            caller.sendall(frame(PING, 0, 0, bytes(8)) * 2000)
            most = max(most, process.memory_info().rss / MIB)
        caller.shutdown(socket.SHUT_WR)
        reading.join()
    fuzz.known_answers(victim)
    assert most - before < 500


def read_all(connection):
    while connection.recv(1 << 20):
        pass


def test_deviation_requests_of_more_bytes_than_may_be_held_are_refused(
    can_start, fixture_dir, tmp_path
):
    """Neither what waits in an event loop nor what waits for a thread is without a bound."""
    flags = [flag.format(dir=fixture_dir) for flag in fixture_models.SHARED_FLAGS]
    flags += ["--max_held_bytes=1000000", "--grpc_max_threads=2", "--rest_api_num_threads=2"]
    slow = predict_request("signatures", "slow", seconds=[2.0])
    body = {"signature_name": "slow", "instances": [0.0] * 150_000}
    with harness.running(tmp_path / "log", *flags) as server:
        waiting = [server.predictions.Predict.future(slow, timeout=60) for _ in range(100)]
        codes = []
        while not codes:  # others are still on their way
            codes = [call.code().name for call in waiting if call.done()]
        assert set(codes) == {"RESOURCE_EXHAUSTED"}
        assert "--max_held_bytes" in next(call for call in waiting if call.done()).details()
        refused = server.rest("/v1/models/signatures:predict", body)
        assert (refused.code, "--max_held_bytes" in refused.error) == (429, True)
        # What runs no model is answered all the while, over both ports.
        began = time.monotonic()
        assert server.rest("/v1/models/signatures").code == 200
        assert server.rest("/v1/models/signatures/metadata").code == 200
        assert server.status("signatures")
        assert any(not call.done() for call in waiting)
        assert time.monotonic() - began < 10
        answered = [call for call in waiting if call.code().name == "OK"]
        assert 50 < len(answered) < 70  # 16 KiB each
        assert server.predict(slow).outputs
