"""REST without a socket: what no caller may be left without an answer for."""

import gzip
import json

import pytest

from emotion_faces.model_server import calls, core, image_guard, metrics, rest, versions


@pytest.fixture
def api():
    server_core = core.ServerCore(lambda *_: None, versions.RetryPolicy(0, 0))
    recorder = metrics.Metrics()
    server_calls = calls.Calls(server_core, recorder, image_guard.ImageLimits())
    return rest.RestApi(server_calls, recorder, hosts={"localhost"})


async def answer(api, method, path, headers, body):
    in_loop = api.handle_in_loop(method, path, headers, body)
    return api.handle(method, path, headers, body) if in_loop is None else await in_loop


def ask(api, method, path, headers):
    """The code and the error of a request that is answered wherever it would be."""
    coroutine = answer(api, method, path, {"Host": "localhost", **headers}, b'{"instances": [1]}')
    try:
        while True:
            coroutine.send(None)
    except StopIteration as done:
        return done.value.code, json.loads(done.value.body).get("error")


@pytest.mark.parametrize(
    "origin", ["http://[", "http://[::1", "null", "", "localhost", "ftp://localhost", "http://a\tb"]
)
@pytest.mark.parametrize("path", ["/v1/models/m:predict", "/v1/models/m:classify"])
def test_an_origin_that_is_no_address_is_another_site(api, origin, path):
    code, error = ask(api, "POST", path, {"Origin": origin})
    assert code == 403
    assert "may not call this server" in error


@pytest.mark.parametrize("host", ["[", "[::1", "]", "a,b", "localhost,localhost", "me@localhost"])
def test_a_host_that_is_no_address_is_no_name_of_the_server(api, host):
    code, error = ask(api, "POST", "/v1/models/m:predict", {"Host": host})
    assert code == 403
    assert "is no name of this server" in error


@pytest.mark.parametrize("number", ["9" * 19, "9" * 5000, "1" + "0" * 4999])
@pytest.mark.parametrize(("method", "call"), [("POST", ":predict"), ("GET", "")])
def test_a_version_of_any_length_is_told(api, number, method, call):
    code, error = ask(api, method, f"/v1/models/m/versions/{number}{call}", {})
    assert (code, error) == (400, f"Failed to convert version: {number} to numeric.")


def test_a_version_may_begin_with_zeros_and_is_of_ascii_digits(api):
    path = f"/v1/models/m/versions/{'0' * 5000}7:predict"
    assert ask(api, "POST", path, {}) == (404, "Servable not found for request: Specific(m, 7)")
    code, error = ask(api, "POST", "/v1/models/m/versions/٣:predict", {})
    assert (code, error) == (400, "Malformed request: POST /v1/models/m/versions/٣:predict")


GZIP = {"Host": "localhost", "Content-Encoding": "gzip"}
PREDICT = ("POST", "/v1/models/m:predict")


@pytest.mark.parametrize(
    ("headers", "body", "is_large"),
    [
        (GZIP, gzip.compress(b" " * (rest.LARGE_BYTES + 1)), True),
        (GZIP, gzip.compress(b" " * rest.LARGE_BYTES), False),
        (GZIP, b"", False),
        ({}, b" " * (rest.LARGE_BYTES + 1), True),
        ({}, b" " * rest.LARGE_BYTES, False),
    ],
)
def test_a_large_body_waits_for_its_turn(api, headers, body, is_large):
    assert api.large_wait_secs(headers, body) == (30.0 if is_large else None)


def test_a_body_that_states_less_than_it_inflates_to_is_refused(api):
    body = gzip.compress(b" " * (rest.LARGE_BYTES + 1))[:-4] + (99).to_bytes(4, "little")
    answer = api.handle(*PREDICT, GZIP, body)
    assert (answer.code, b"ends with a size of 99 bytes" in answer.body) == (400, True)


@pytest.mark.parametrize(("size", "code"), [(rest.MAX_INFLATED_BYTES + 1, 400), (100, 404)])
def test_a_body_that_inflates_to_too_much_is_refused(api, size, code):
    assert api.handle(*PREDICT, GZIP, gzip.compress(b" " * (size - 2) + b"{}")).code == code


def test_a_body_without_gzip_has_the_limit_of_the_port(api):
    plain = b" " * rest.MAX_INFLATED_BYTES + b"{}"
    assert api.handle(*PREDICT, {"Host": "localhost"}, plain).code == 404
