"""C59 to C62, C75, C77 and C80 to C84: flags, start, config files, and the ports they open.

Each server start costs seconds of CPU, so a process is shared by the cases that it can answer.
"""

import contextlib
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import grpc
import numpy as np
import psutil
import pytest
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import proto_reflection_descriptor_database
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

from tests.serving.conformance import fixture_models, harness
from tests.serving.conformance.fixture_models import PROMETHEUS_PATH, predict_request
from tests.serving.conformance.harness import State, is_open, rpc_error

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def waiting(can_start, tmp_path_factory):
    """A server with nearly every default, over a base path that has no version yet."""
    directory = tmp_path_factory.mktemp("waiting")
    base_path = directory / "models" / "m"
    (base_path / "not_a_number").mkdir(parents=True)
    spare_port = is_open(8500)  # somebody else listens there: take another one
    server = harness.spawn(
        directory / "log",
        f"--model_base_path={base_path}",
        "--no_such_flag=1",
        rest=False,
        port=spare_port,
    )
    server.base_path = base_path
    yield server
    server.stop()


def test_c84_an_unknown_flag_is_named_and_ignored(waiting, can_start, tmp_path):
    printed = waiting.wait_for_output("unknown argument: --no_such_flag=1")
    assert "usage" in printed.lower()
    assert "--model_base_path" in printed
    assert waiting.process.poll() is None
    code, _ = harness.run_to_exit(tmp_path / "log", "--max_num_load_retries=many")
    assert code != 0


def with_a_version(waiting):
    """The waiting server, once it has a version to serve."""
    if not (waiting.base_path / "1").exists():
        fixture_models.write_half_plus_version(waiting.base_path, 1)
    return harness.wait_until_open(waiting)


def test_c60_ports_open_once_every_model_has_a_version(waiting):
    waiting.wait_for_output("Did you forget to name your leaf directory as a number")
    assert not is_open(waiting.grpc_port)
    assert waiting.process.poll() is None
    with_a_version(waiting)
    request = predict_request("default", x=np.float32([2]))
    assert waiting.predict(request).outputs["y"].float_val == [2]


def test_c60_a_failed_load_at_start_ends_the_process(can_start, tmp_path):
    fixture_models.write_corrupt(tmp_path / "models" / "m", 1)
    code, printed = harness.run_to_exit(
        tmp_path / "log",
        "--model_name=m",
        f"--model_base_path={tmp_path}/models/m",
        "--max_num_load_retries=0",
    )
    assert code == 255
    assert "Failed to start server. Error: " in printed
    assert "servable(s) did not become available" in printed


def test_c59_defaults(waiting, can_start):
    with_a_version(waiting)
    assert list(waiting.status("default")) == [1]  # the default of --model_name
    assert not is_open(waiting.rest_port)
    usage = subprocess.run(
        [*harness.launch_command(), "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=harness.ROOT,
    )
    lines = (usage.stdout + usage.stderr).splitlines()
    for flag, default in [
        ("port", "8500"),
        ("rest_api_port", "0"),
        ("rest_api_timeout_in_ms", "30000"),
        ("file_system_poll_wait_seconds", "1"),
        ("model_name", '"default"'),
        ("max_num_load_retries", "5"),
        ("load_retry_interval_micros", "60000000"),
        ("enable_model_warmup", "true"),
        ("enable_batching", "false"),
    ]:
        assert any(re.search(rf"--{flag}={default}(\s|$)", line) for line in lines), flag


def test_c80_health_service_is_off_by_default(waiting):
    with_a_version(waiting)
    assert rpc_error(_health_check(waiting.channel), b"")[0] == "UNIMPLEMENTED"


def test_c80_health_service_when_asked_for(server):
    check = _health_check(server.channel)
    for name in (b"", b"ModelService", b"PredictionService"):
        request = b"\x0a" + bytes([len(name)]) + name
        assert check(request, timeout=10) == b"\x08\x01", name  # status: SERVING
    assert rpc_error(check, b"\x0a\x04none")[0] == "NOT_FOUND"


def _health_check(channel):
    """A grpc.health.v1 call on raw bytes: its package is not worth a dependency."""
    return channel.unary_unary("/grpc.health.v1.Health/Check")


def test_c61_polling_once_or_never(can_start, tmp_path):
    base_path = tmp_path / "models" / "m"
    fixture_models.write_half_plus_version(base_path, 1)
    flags = ("--model_name=m", f"--model_base_path={base_path}")
    with contextlib.ExitStack() as stack:
        never = harness.spawn(tmp_path / "never", *flags, "--file_system_poll_wait_seconds=-1")
        stack.callback(never.stop)
        once = stack.enter_context(
            harness.running(tmp_path / "once", *flags, "--file_system_poll_wait_seconds=0")
        )
        fixture_models.write_half_plus_version(base_path, 2)
        time.sleep(2.5)
        assert list(once.status("m")) == [1]
        assert once.predict(predict_request("m", x=[2.0])).outputs["y"].float_val == [2]
        assert never.process.poll() is None
        assert not is_open(never.grpc_port)  # no version is ever found, and it waits for one


def test_c75_startup_with_a_label_for_a_version_not_loaded(can_start, tmp_path, fixture_dir):
    (tmp_path / "models.config").write_text(
        f"""model_config_list {{ config {{
          name: "m" base_path: "{fixture_dir}/models/half_plus_version"
          model_platform: "tensorflow" version_labels {{ key: "stable" value: 3 }} }} }}"""
    )
    code, printed = harness.run_to_exit(
        tmp_path / "log", f"--model_config_file={tmp_path}/models.config"
    )
    assert code == 255
    assert (
        "Request to assign label to version 3 of model m, which is not currently available "
        "for inference" in printed
    )
    if not harness.is_foreign():
        assert "--allow_version_labels_for_unavailable_models" in printed  # what to do about it


@pytest.mark.parametrize("flag", ["--port", "--rest_api_port"])
def test_deviation_a_port_in_use_is_told_before_anything_loads(can_start, tmp_path, flag):
    """Real TF Serving loads first; here there is not even a version to load."""
    (tmp_path / "models" / "m").mkdir(parents=True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, printed = harness.run_to_exit(
            tmp_path / "log", f"--model_base_path={tmp_path}/models/m", f"{flag}={port}"
        )
    assert code == 255
    assert f"127.0.0.1:{port} can't be opened" in printed
    assert f"choose another port with {flag}" in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize("flag", ["--port=99999", "--rest_api_port=-1"])
def test_deviation_what_is_no_port_is_refused(can_start, tmp_path, flag):
    code, printed = harness.run_to_exit(tmp_path / "log", "--model_base_path=/none", flag)
    assert code == 255
    assert f"{flag.partition('=')[0]} takes a port from 0 to 65535" in printed


def test_reflection_lists_the_services(server):
    """As TF Serving since 2.16 has it."""
    reflected = proto_reflection_descriptor_database.ProtoReflectionDescriptorDatabase(
        server.channel
    )
    assert sorted(reflected.get_services()) == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "tensorflow.serving.ModelService",
        "tensorflow.serving.PredictionService",
    ]
    pool = descriptor_pool.DescriptorPool(reflected)
    service = pool.FindServiceByName("tensorflow.serving.PredictionService")
    assert [method.name for method in service.methods if method.name == "Predict"] == ["Predict"]
    assert service.methods_by_name["Predict"].input_type.fields_by_name["model_spec"]
    assert pool.FindServiceByName("tensorflow.serving.ModelService").methods_by_name[
        "HandleReloadConfigRequest"
    ]


@pytest.fixture(scope="module")
def optioned(can_start, fixture_dir, tmp_path_factory):
    """A server with TLS, CORS, tensor_content answers and config polling."""
    directory = tmp_path_factory.mktemp("optioned")
    _write_certificate(directory)
    key, certificate = (directory / name for name in ("key.pem", "cert.pem"))
    (directory / "ssl.config").write_text(
        "".join(
            f'{field}: "{_escaped(path)}"\n'
            for field, path in (("server_key", key), ("server_cert", certificate))
        )
        + "client_verify: false\n"
    )
    config = directory / "models.config"
    config.write_text(_config_text(fixture_dir, "m"))
    with harness.running(
        directory / "log",
        f"--model_config_file={config}",
        "--model_config_file_poll_wait_seconds=1",
        f"--ssl_config_file={directory}/ssl.config",
        "--rest_api_enable_cors_support=true",
        "--rest_api_timeout_in_ms=500",
        "--enable_serialization_as_tensor_content=true",
        "--allow_version_labels_for_unavailable_models=true",
    ) as server:
        server.config_file = config
        server.channel.close()
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        with grpc.secure_channel(f"localhost:{server.grpc_port}", credentials) as channel:
            server.predictions = type(server.predictions)(channel)
            server.models = type(server.models)(channel)
            yield server


def _config_text(fixture_dir, *names, extra=""):
    models = "".join(
        f'config {{ name: "{name}" base_path: "{fixture_dir}/models/half_plus_version" '
        f'model_platform: "tensorflow" {extra} }}\n'
        for name in names
    )
    slow = f'config {{ name: "slow" base_path: "{fixture_dir}/models/signatures" '
    return f'model_config_list {{ {models} {slow} model_platform: "tensorflow" }} }}\n'


def _write_certificate(directory):
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", directory / "key.pem", "-out", directory / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )


def _escaped(path):
    return path.read_text().replace("\n", "\\n")


def test_c82_tls_on_the_grpc_port(optioned):
    request = predict_request("m", x=[2.0])
    assert optioned.predict(request).model_spec.version.value == 3
    with grpc.insecure_channel(f"127.0.0.1:{optioned.grpc_port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        assert rpc_error(stub.Predict, request, timeout=5)[0] == "UNAVAILABLE"
    stranger = ssl.create_default_context()  # knows nothing of the server's certificate
    with (
        socket.create_connection(("127.0.0.1", optioned.grpc_port), timeout=5) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        stranger.wrap_socket(connection, server_hostname="localhost")


def test_c83_unix_socket(lifecycle, fixture_dir):
    served = model_server_config_pb2.ModelConfig(
        name="c83",
        base_path=f"{fixture_dir}/models/half_plus_version",
        model_platform="tensorflow",
    )
    lifecycle.reload(served)
    with grpc.insecure_channel(f"unix:{lifecycle.socket}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answer = stub.Predict(predict_request("c83", x=[2.0]), timeout=10)
    assert answer.outputs["y"].float_val == [4]


def test_c16_tensor_content_when_asked_for(optioned):
    output = optioned.predict(predict_request("m", x=[2.0])).outputs["y"]
    assert not output.float_val
    assert np.frombuffer(output.tensor_content, np.float32).tolist() == [4]


def test_c41_deadline_over_rest(optioned):
    body = {"signature_name": "slow", "instances": [20.0]}
    started = time.monotonic()
    answer = optioned.rest("/v1/models/slow:predict", body)
    assert answer.code == 504
    assert list(answer.json()) == ["error"]
    assert time.monotonic() - started < 5


def test_c57_cors_when_asked_for(optioned):
    path = "/v1/models/m:predict"
    origin = {"Origin": "http://example.org"}
    answer = optioned.rest(path, {"instances": [2.0]}, headers=origin)
    assert answer.json() == {"predictions": [4.0]}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Methods"] == "POST, GET"
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"
    preflight = optioned.rest(path, method="OPTIONS", headers=origin)
    assert preflight.code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    without = optioned.rest(path, method="OPTIONS")
    assert without.code == 400
    assert not without.body.lstrip().startswith(b"{")


def test_c77_config_file_polling(optioned, lifecycle, fixture_dir):
    lifecycle.config_file.write_text(_config_text(fixture_dir, "never_read"))
    optioned.config_file.write_text(_config_text(fixture_dir, "m", "added"))
    optioned.wait_for("added", 3, "AVAILABLE")
    optioned.config_file.write_text("model_config_list { config { nonsense")
    time.sleep(2.5)
    assert optioned.process.poll() is None
    assert optioned.status("added")[3].state == State.AVAILABLE
    optioned.config_file.write_text(_config_text(fixture_dir, "m"))
    optioned.wait_for("added", 3, "END")
    assert optioned.predict(predict_request("m", x=[2.0])).model_spec.version.value == 3
    assert not lifecycle.status("never_read")  # polling is off unless asked for


def test_c75_labels_for_unavailable_versions_when_allowed(optioned, fixture_dir):
    def config(**labels):
        served = model_server_config_pb2.ModelConfig(
            name="m",
            base_path=f"{fixture_dir}/models/half_plus_version",
            model_platform="tensorflow",
        )
        for label, version in labels.items():
            served.version_labels[label] = version
        return served

    optioned.reload(config(stable=3))
    optioned.reload(config(stable=3, canary=9))  # a new label may name what is not there yet
    request = predict_request("m", x=[2.0])
    request.model_spec.version_label = "stable"
    assert optioned.predict(request).model_spec.version.value == 3
    with pytest.raises(grpc.RpcError) as refused:
        optioned.reload(config(stable=9))
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert optioned.predict(request).model_spec.version.value == 3


def test_c81_prometheus(server, can_start, lifecycle):
    def metrics():
        answer = server.rest(PROMETHEUS_PATH)
        assert answer.code == 200
        assert answer.headers["Content-Type"].startswith("text/plain")
        return answer.body.decode()

    def value(text, series):
        found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    ok = ':tensorflow:serving:request_count{model_name="half_plus_version",status="OK"}'
    latency = ":tensorflow:serving:request_latency_count{{model_name=" + (
        '"half_plus_version",API="{}",entrypoint="{}"}}'
    )
    before = metrics()
    server.predict(predict_request("half_plus_version", x=[2.0]))
    server.predict(predict_request("half_plus_version", x=[2.0]))
    server.rest("/v1/models/half_plus_version:predict", {"instances": [2.0]})
    rpc_error(server.predict, predict_request("half_plus_version", wrong=[1.0]))
    after = metrics()

    def grown(series):
        return value(after, series) - value(before, series)

    assert grown(ok) == 3
    assert grown(ok.replace('"OK"', '"INVALID_ARGUMENT"')) == 1
    assert grown(latency.format("Predict", "GRPC")) == 2
    assert grown(latency.format("predict", "REST")) == 1
    runtime = ':tensorflow:serving:runtime_latency_count{model_name="half_plus_version",API='
    assert (
        sum(
            grown(line.rsplit(" ", 1)[0]) for line in after.splitlines() if line.startswith(runtime)
        )
        == 3
    )
    name = latency.format("Predict", "GRPC").replace("_count{", "_bucket{").rstrip("}")
    bounds = re.findall(rf'^{re.escape(name)},le="([^"]+)"}}', after, re.MULTILINE)
    assert bounds[-1] == "+Inf"
    np.testing.assert_allclose(
        [float(bound) for bound in bounds[:-1]], [10 * 1.8**i for i in range(33)], rtol=1e-4
    )
    assert "# TYPE :tensorflow:serving:request_count counter" in after
    assert "# TYPE :tensorflow:serving:request_latency histogram" in after
    assert "# HELP" not in after
    assert lifecycle.rest(PROMETHEUS_PATH).code == 404  # off unless asked for


def test_deviation_sigterm_ends_an_idle_server_at_once(can_start, tmp_path, fixture_dir):
    """Idle connections hold nothing up, and the interpreter does not walk TensorFlow's modules.

    CPU time and not the clock: it took seconds where other work shared the cores.
    """
    server = harness.spawn(
        tmp_path / "log", "--model_name=m", f"--model_base_path={fixture_dir}/models/signatures"
    )
    try:
        harness.wait_until_open(server)
        server.wait_for("m", 1, "AVAILABLE")  # and so the channel is connected
        kept = http.client.HTTPConnection(server.host, server.rest_port, timeout=20)
        with contextlib.closing(kept):
            kept.request("GET", "/v1/models/m")
            kept.getresponse().read()
            used = sum(psutil.Process(server.process.pid).cpu_times()[:2])
            server.process.send_signal(signal.SIGTERM)
            _, status, usage = os.wait4(server.process.pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert usage.ru_utime + usage.ru_stime - used < 0.5
        # TensorFlow 2.21 calls it an error that a machine has no GPU, or no AVX-512 for float16.
        of_the_machine = r"^.*(?:failed call to cuInit|oneDNN supports DT_HALF only).*\n"
        printed = re.sub(of_the_machine, "", server.output(), flags=re.MULTILINE)
        assert re.findall(r"^.* [WE] .*|^\D.*", printed, re.MULTILINE) == []
    finally:
        server.process.poll()
        server.stop()


def test_deviation_sigterm_drains(can_start, tmp_path, fixture_dir):
    """Real TF Serving drops calls in flight on SIGTERM (serving#60); here they are finished."""
    server = harness.spawn(
        tmp_path / "log", "--model_name=m", f"--model_base_path={fixture_dir}/models/signatures"
    )
    try:
        harness.wait_until_open(server)
        call = server.predictions.Predict.future(
            predict_request("m", "slow", seconds=[2.0]), timeout=20
        )
        rest = []
        body = {"signature_name": "slow", "instances": [2.0]}
        caller = threading.Thread(
            target=lambda: rest.append(server.rest("/v1/models/m:predict", body))
        )
        caller.start()
        time.sleep(0.7)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        late = predict_request("m", x=np.zeros((1, 3), np.float32))
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            assert rpc_error(stub.Predict, late, timeout=5)[0] == "UNAVAILABLE"
        assert call.result().outputs["waited"].float_val == [2]
        caller.join()
        assert rest[0].json() == {"predictions": [2.0]}
        assert server.process.wait(timeout=20) == 0
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.channel.close()


@pytest.mark.parametrize("waits_for_a_version", [True, False])
def test_deviation_a_hundred_signals_end_the_server_as_one_does(
    can_start, tmp_path, fixture_dir, waits_for_a_version
):
    """A lock in a handler hangs for good once two signals come close together."""
    empty = tmp_path / "models" / "m"
    empty.mkdir(parents=True)
    folder = empty if waits_for_a_version else f"{fixture_dir}/models/signatures"
    server = harness.spawn(tmp_path / "log", f"--model_base_path={folder}")
    try:
        if waits_for_a_version:
            server.wait_for_output("No versions of servable", timeout=120)
        else:
            harness.wait_until_open(server)
        for index in range(100):
            with contextlib.suppress(ProcessLookupError):
                server.process.send_signal((signal.SIGTERM, signal.SIGINT)[index % 2])
            time.sleep(0.0005 * (index % 3))
        assert server.process.wait(timeout=30) == 0, server.output()[-2000:]
    finally:
        server.process.kill()
        server.stop()


def test_deviation_the_drain_is_over_in_its_time_whatever_runs(can_start, tmp_path, fixture_dir):
    server = harness.spawn(
        tmp_path / "log",
        "--model_name=m",
        f"--model_base_path={fixture_dir}/models/signatures",
        "--drain_timeout_secs=1",
    )
    try:
        harness.wait_until_open(server)
        call = server.predictions.Predict.future(predict_request("m", "slow", seconds=[120.0]))
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=15) == 0
        assert "cut off" in server.output()
        assert call.code() != grpc.StatusCode.OK
    finally:
        server.process.kill()
        server.stop()


def test_deviation_ports_are_bound_to_loopback(server, can_start):
    """Real TF Serving listens on every interface; here only on loopback unless told otherwise."""
    listening = {
        one.laddr
        for one in psutil.Process(server.process.pid).net_connections("tcp")
        if one.status == psutil.CONN_LISTEN
    }
    assert {server.grpc_port, server.rest_port} <= {address.port for address in listening}
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
