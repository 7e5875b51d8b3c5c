"""What `emotion kubeflow submit`, `wait` and `runs` send, and what they say when something is wrong."""

import contextlib
import http.server
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest
import yaml

from emotion_pipeline.cli import main
from emotion_pipeline.kubeflow import api as api_module
from emotion_pipeline.kubeflow import follow as follow_module
from tests.kubeflow.fake_api import pod_of, serve_api

SPEC = {
    "pipelineInfo": {"name": "emotion"},
    "schemaVersion": "2.1.0",
    "root": {
        "dag": {"tasks": {}},
        "inputDefinitions": {
            "parameters": {
                "data": {"parameterType": "STRING", "defaultValue": "sample"},
                "train_epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 100},
                "thresholds_accuracy": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.4},
                "train_flip": {"parameterType": "BOOLEAN", "defaultValue": False},
            }
        },
    },
}


@pytest.fixture
def api():
    with serve_api() as server:
        yield server


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(SPEC))
    return path


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch):
    monkeypatch.setattr(follow_module, "POLL_SECS", 0.01)
    for name in ("KF_TOKEN", "KF_PIPELINES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def submit(package, host, *arguments):
    return main(["kubeflow", "submit", str(package), "--host", host, *arguments])


def wait(host, *arguments):
    return main(["kubeflow", "wait", "run-1", "--host", host, *arguments])


def test_uploads_the_package_makes_the_experiment_and_starts_a_run(api, package, capsys):
    status = submit(
        package, api.url, "--param", "train_epochs=3", "--param", "thresholds_accuracy=0.25",
        "--param", "data=/mnt/data/fer", "--param", "train_flip=true",
        "--experiment", "trial", "--pipeline-root", "s3://bucket/root", "--wait",
    )  # fmt: skip
    assert status == 0
    assert api.packages == {"version-1": package.read_bytes()}
    assert [p["display_name"] for p in api.pipelines.values()] == ["emotion"]
    assert [e["display_name"] for e in api.experiments.values()] == ["trial"]
    (run,) = api.runs.values()
    assert run["pipeline_version_reference"] == {
        "pipeline_id": "pipeline-1",
        "pipeline_version_id": "version-1",
    }
    assert run["experiment_id"] == "experiment-1"
    assert run["runtime_config"] == {
        "parameters": {
            "train_epochs": 3,
            "thresholds_accuracy": 0.25,
            "data": "/mnt/data/fer",
            "train_flip": True,
        },
        "pipeline_root": "s3://bucket/root",
    }
    output = capsys.readouterr().out
    # The API's port has no page: the addresses that the kfp client prints lead nowhere.
    assert f"{api.url}/#" not in output
    assert "svc/ml-pipeline-ui 8080:80" in output
    assert "http://127.0.0.1:8080/#/runs/details/run-1" in output
    assert f"emotion kubeflow wait run-1 --host {api.url}" in output
    assert output.splitlines()[-3:] == [
        "run run-1: PENDING", "run run-1: RUNNING", "run run-1: SUCCEEDED",
    ]  # fmt: skip


def test_a_second_submission_is_a_new_version_in_the_same_experiment(api, package):
    assert [submit(package, api.url), submit(package, api.url)] == [0, 0]
    assert list(api.pipelines) == ["pipeline-1"]
    assert list(api.experiments) == ["experiment-1"]
    assert [
        run["pipeline_version_reference"]["pipeline_version_id"] for run in api.runs.values()
    ] == ["version-1", "version-2"]
    assert not any(call.startswith("GET /runs") for call in api.requests)


def test_token_is_sent_as_bearer(api, package, monkeypatch, capsys):
    api.token = "s3cret"
    assert submit(package, api.url) == 1
    assert "answered 401" in (error := capsys.readouterr().err)
    assert "there is no user identity header" in error
    assert "--token" in error
    assert submit(package, api.url, "--token", "s3cret") == 0
    monkeypatch.setenv("KF_TOKEN", "s3cret")
    assert submit(package, api.url) == 0


@pytest.mark.parametrize("command", ["submit", "wait"])
def test_a_run_that_fails_is_status_1_and_names_the_step_its_pod_and_its_log(
    api, package, capsys, command
):
    api.states = ["RUNNING", "FAILED"]
    pod = pod_of("AnomalyGate")
    api.logs[pod] = "\n".join(
        [*map(str, range(30)), "emotion: AnomalyGate: contempt has 21 images"]
    )
    api.token = "s3cret"
    options = ("--namespace", "team", "--token", "s3cret")
    if command == "submit":
        assert submit(package, api.url, "--wait", *options) == 1
    else:
        assert submit(package, api.url, *options) == 0
        assert wait(api.url, *options) == 1
    error = capsys.readouterr().err
    assert error.startswith("emotion: run run-1 ended as FAILED\nstep AnomalyGate failed\n")
    assert f"its pod: {pod}\n" in error
    assert "\n    11\n" in error
    assert "\n    10\n" not in error
    assert "\n    emotion: AnomalyGate: contempt has 21 images\n" in error
    assert error.endswith(f"its log: kubectl logs -n team {pod} -c main\n")
    for other in ("executor", "root", "step emotion", "ImageIngest", "StatisticsGen", "None"):
        assert other not in error.replace(pod, "")


def test_a_failed_run_whose_step_is_not_told_says_how_to_read_the_logs(api, package, capsys):
    answer = api.answer

    def bare(method, url, headers, body):
        status, message = answer(method, url, headers, body)
        if method == "GET" and url.endswith("/runs/run-1"):
            for node in message.get("run_details", {}).get("task_details", []):
                node.pop("child_tasks")
                node["display_name"] = "executor(0)"
        return status, message

    api.answer, api.states = bare, ["FAILED"]
    assert submit(package, api.url, "--wait") == 1
    error = capsys.readouterr().err
    assert "which step failed the server does not tell" in error
    assert "kubectl logs -n kubeflow -l pipeline/runid=run-1 --prefix --tail=20 -c main" in error


def test_an_empty_state_is_not_told(api, package, capsys):
    api.states = ["", "PENDING", "", "RUNNING", "", "SUCCEEDED"]
    assert submit(package, api.url, "--wait") == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("run run-1:")]
    assert told == ["run run-1: PENDING", "run run-1: RUNNING", "run run-1: SUCCEEDED"]


def test_a_run_that_is_canceled_is_status_1(api, package, capsys):
    api.states = ["RUNNING", "CANCELING", "CANCELED"]
    assert submit(package, api.url, "--wait") == 1
    assert "ended as CANCELED" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "status", "message"),
    [
        ("GET /healthz", 404, "is this the address of Kubeflow Pipelines' API"),
        ("POST /pipelines/upload", 500, "see the log of the API server"),
        ("POST /runs", 500, "planted 500"),
        ("POST /runs", 403, "--namespace"),
    ],
)
def test_refusals_are_told_with_what_to_do(api, package, capsys, call, status, message):
    api.failures = {call: status}
    assert submit(package, api.url, "--wait") == 1
    error = capsys.readouterr().err
    assert f"emotion: --host {api.url}: answered {status}" in error
    assert message in error
    assert "Traceback" not in error


def test_looks_that_fail_for_a_while_are_tried_again(api, package, capsys):
    answer, looks = api.answer, iter([503] * 8 + [200] + [502] * 8 + [200, 200])

    def shaky(method, url, headers, body):
        if method == "GET" and "/runs/" in url and (status := next(looks)) != 200:
            return status, {"error": "upstream"}
        return answer(method, url, headers, body)

    api.answer = shaky
    assert submit(package, api.url, "--wait") == 0
    output = capsys.readouterr().out
    assert "run run-1: SUCCEEDED" in output
    assert output.count("the server does not answer, asking again") == 2


@pytest.mark.parametrize(("status", "patience"), [(500, 0.2), (401, 600), (404, 600)])
def test_a_run_out_of_sight_has_another_status_than_one_that_failed(
    api, package, capsys, status, patience
):
    """Broken for longer than the patience, or refused, which patience does not help."""
    api.failures = {"GET /runs/run-1": status}
    start = time.monotonic()
    assert submit(package, api.url, "--wait", "--patience", str(patience)) == 5
    assert time.monotonic() - start < 30
    error = capsys.readouterr().err
    assert "run run-1 is out of sight, and may well go on" in error
    assert f"answered {status}" in error
    assert f"`emotion kubeflow wait run-1 --host {api.url}`" in error


def test_wait_takes_a_run_up_again(api, package, capsys):
    assert submit(package, api.url) == 0
    assert wait(api.url) == 0
    assert capsys.readouterr().out.endswith("run run-1: RUNNING\nrun run-1: SUCCEEDED\n")
    api.states = ["CANCELED"]
    assert wait(api.url) == 1


def test_wait_tells_an_unknown_run_and_a_server_that_is_not_there(api, capsys):
    assert wait(api.url) == 2
    error = capsys.readouterr().err
    assert f"run-1: the server knows no such run; `emotion kubeflow runs --host {api.url}`" in error
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    assert wait(f"http://127.0.0.1:{port}") == 5
    assert "kubectl port-forward" in capsys.readouterr().err


@pytest.mark.parametrize("patience", ["-1", "nan", "inf", "soon"])
def test_patience_is_a_number_of_seconds(api, patience):
    with pytest.raises(SystemExit, match="2"):
        wait(api.url, "--patience", patience)


def test_runs_lists_the_newest_first(api, package, capsys):
    assert main(["kubeflow", "runs", "--host", api.url]) == 0
    assert capsys.readouterr().out == ""
    for _ in range(3):
        submit(package, api.url)
    api.states = ["RUNNING", ""]
    capsys.readouterr()
    assert main(["kubeflow", "runs", "--host", api.url, "--limit", "2"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:4] == ["run-3", "RUNNING", "2026-08-30", "10:00:00"]
    assert second.split()[:2] == ["run-2", "-"]
    assert "emotion" in first


def test_unreachable_host(package, capsys):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    host = f"http://127.0.0.1:{port}"
    assert submit(package, host) == 1
    error = capsys.readouterr().err
    assert f"--host {host}: cannot be reached: Connection refused. Where the API" in error
    assert "kubectl port-forward" in error
    assert error.count("\n") == 1
    assert submit(package, "http://nobody.invalid:8888") == 1
    error = capsys.readouterr().err
    assert error.startswith("emotion: --host http://nobody.invalid:8888: cannot be reached: ")
    assert "urllib3" not in error
    assert "Pool" not in error


def test_a_silent_host(package, capsys, monkeypatch):
    monkeypatch.setattr(api_module, "CALL_SECS", (0.2, 0.2))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert submit(package, f"http://127.0.0.1:{listener.getsockname()[1]}") == 1
        assert (
            "cannot be reached: it does not answer within 0.2 s. Where" in capsys.readouterr().err
        )


@contextlib.contextmanager
def silent_at(api, call):
    """Keeps a call of the API without an answer within the block."""
    answer, over = api.answer, threading.Event()

    def silent(method, url, headers, body):
        if re.search(call, f"{method} {url}"):
            over.wait(30)
        return answer(method, url, headers, body)

    api.answer = silent
    try:
        yield
    finally:
        over.set()


def test_a_host_that_goes_silent_while_a_run_is_followed(api, package, capsys, monkeypatch):
    monkeypatch.setattr(api_module, "CALL_SECS", (0.2, 0.2))
    with silent_at(api, "GET .*/runs/run-1"):
        assert submit(package, api.url, "--wait", "--patience", "0.5") == 5
    assert "out of sight" in capsys.readouterr().err


@pytest.mark.parametrize("call", ["GET .*/pipelines", "POST .*/upload"])
def test_a_host_that_goes_silent_at_a_call(api, package, capsys, monkeypatch, call):
    monkeypatch.setattr(api_module, "CALL_SECS", (0.2, 0.2))
    with silent_at(api, call):
        assert submit(package, api.url) == 1
    assert "cannot be reached: it does not answer within 0.2 s. Where" in capsys.readouterr().err


PAGE = "<html><head><title>Sign in</title></head><body>with your account</body></html>"
NONSENSE = [
    (
        PAGE,
        "'<html><head><title>Sign in</title></head><body>with your account</body></html>' is no message",
    ),
    ("", "'' is no message of the API"),
    (None, "'null' is no message"),
    ([], "'[]' is no message"),
    ("[" * 100_000, "is no message of the API"),
    ({}, "it has no run_id"),
    ({"run_id": None, "state": "SUCCEEDED"}, "it has no run_id"),
    ({"run_id": "run-1", "created_at": 17}, "is no V2beta1Run"),
    ({"run_id": "run-1", "created_at": "soon"}, "is no V2beta1Run"),
    ({"run_id": "run-1", "state_history": 5}, "is no V2beta1Run"),
]
"""What is no answer of the API, though its status is 200, and what is told of it."""


def planted(api, call, message, status=200, times=10**9):
    """Answers a call otherwise, the first times."""
    answer, left = api.answer, [times]

    def other(method, url, headers, body):
        if re.search(call, f"{method} {url}") and left[0] > 0:
            left[0] -= 1
            return status, message
        return answer(method, url, headers, body)

    api.answer = other


@pytest.mark.parametrize(("message", "told"), NONSENSE)
def test_an_answer_that_is_none_is_silence(api, package, capsys, message, told):
    """A proxy before the API gives a page to log in by, with status 200, once the token has run out."""
    planted(api, "GET .*/runs/run-1", message)
    assert submit(package, api.url, "--wait", "--patience", "0.2") == 5
    error = capsys.readouterr().err
    assert "run run-1 is out of sight, and may well go on" in error
    assert f"--host {api.url}: gave an answer that makes no sense: " in error
    assert told in error
    assert wait(api.url, "--patience", "0.2") == 5
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("message", [PAGE, None, {}])
def test_an_answer_that_is_none_for_a_while_is_waited_for(api, package, capsys, message):
    planted(api, "GET .*/runs/run-1", message, times=3)
    assert submit(package, api.url, "--wait") == 0
    output = capsys.readouterr().out
    assert output.count("the server does not answer, asking again") == 1
    assert output.endswith("run run-1: SUCCEEDED\n")


@pytest.mark.parametrize(
    ("call", "message", "told"),
    [
        ("GET .*/healthz", None, "'null' is no message of the API"),
        (
            "GET .*/healthz",
            PAGE,
            "is no message of the API; is this its address, and does no proxy",
        ),
        ("GET .*/pipelines[?]", PAGE, "is no message of the API"),
        ("POST .*/upload", {}, "it has no pipeline_id"),
        ("GET .*/versions", {}, "the pipeline emotion was uploaded and has no version"),
        ("POST .*/experiments", {}, "it has no experiment_id"),
    ],
)
def test_nothing_is_started_after_an_answer_that_is_none(api, package, capsys, call, message, told):
    planted(api, call, message)
    assert submit(package, api.url, "--wait") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"emotion: --host {api.url}: gave an answer that makes no sense: ")
    assert told in error
    assert api.runs == {}


@pytest.mark.parametrize(("message", "status"), [({}, 200), (PAGE, 200), (PAGE, 502), (PAGE, 504)])
def test_a_run_that_may_have_been_started_has_the_status_of_one_out_of_sight(
    api, package, capsys, message, status
):
    """To submit it again would start a second one."""
    planted(api, "POST .*/runs", message, status)
    assert submit(package, api.url) == 5
    error = capsys.readouterr().err
    assert "whether the run was started is not known" in error
    assert re.search(
        rf"`emotion kubeflow runs --host {api.url}` lists it as emotion 20\d\d-", error
    )


def test_a_run_whose_start_is_not_answered(api, package, capsys, monkeypatch):
    monkeypatch.setattr(api_module, "CALL_SECS", (0.2, 0.2))
    with silent_at(api, "POST .*/runs"):
        assert submit(package, api.url) == 5
    error = capsys.readouterr().err
    assert "whether the run was started is not known" in error
    assert "it does not answer within 0.2 s" in error


def test_nulls_are_what_is_absent(api, package, capsys):
    """In the lists of a failed run too."""
    answer = api.answer

    def with_nulls(method, url, headers, body):
        status, message = answer(method, url, headers, body)
        if method == "GET" and url.endswith("/runs/run-1"):
            message["state_history"].insert(0, None)
            message |= {"error": None, "finished_at": None}
            details = message["run_details"]["task_details"]
            for node in details:
                node["child_tasks"].append(None)
                node |= {"error": None, "pod_name": None}
            details.append(None)
        return status, message

    api.answer, api.states = with_nulls, ["FAILED"]
    assert submit(package, api.url, "--wait") == 1
    error = capsys.readouterr().err
    assert "step AnomalyGate failed\n" in error
    assert f"its pod: {pod_of('AnomalyGate')}\n" in error


@pytest.mark.parametrize(("call", "status"), [("submit", 1), ("wait", 5), ("runs", 1)])
def test_a_list_of_runs_and_a_first_look_that_are_none(api, package, capsys, call, status):
    api.failures = {"GET /healthz": 502}
    command = [str(package)] if call == "submit" else ["run-1"] if call == "wait" else []
    assert main(["kubeflow", call, *command, "--host", api.url]) == status
    planted(api, ".*", PAGE, 502)
    assert main(["kubeflow", call, *command, "--host", api.url]) == status
    error = capsys.readouterr().err
    assert "answered 502 Bad Gateway: Sign in with your account" in error  # without the page's tags


def test_runs_that_make_no_sense(api, capsys):
    planted(api, "GET .*/runs[?]", {"runs": [{"state": "RUNNING"}]})
    assert main(["kubeflow", "runs", "--host", api.url]) == 1
    assert "it has no run_id" in capsys.readouterr().err


def test_a_refused_look_is_not_said_to_be_repeated(api, package, capsys):
    api.failures = {"GET /runs/run-1": 403}
    assert submit(package, api.url, "--wait") == 5
    assert "asking again" not in capsys.readouterr().out


def test_what_a_server_tells_moves_no_cursor(api, package, capsys):
    api.states = ["FAILED"]
    api.logs[pod_of("AnomalyGate")] = "\x1b[2Jone\ttwo\x07\n\x9b31mthree"
    assert submit(package, api.url, "--wait") == 1
    error = capsys.readouterr().err
    assert "\n    \\x1b[2Jone two\\x07\n    \\x9b31mthree\n" in error
    planted(api, "POST .*/upload", {"error_message": "no \x1b]0;title\x07"}, 400)
    assert submit(package, api.url) == 1
    assert "answered 400 Bad Request: no \\x1b]0;title\\x07; " in capsys.readouterr().err


def test_redirects_without_end(api, package, capsys):
    api.headers["Location"] = "/apis/v2beta1/healthz"
    planted(api, ".*", "", 307)
    assert submit(package, api.url) == 1
    error = capsys.readouterr().err
    assert f"emotion: --host {api.url}: cannot be reached: too many redirects. " in error


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate of nobody's, for this machine, in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", path, "-out", path.with_name("cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + path.with_name("cert.pem").read_text())
    return path


def test_a_certificate_that_nobody_knows(certificate, package, capsys, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with serve_api(context) as api:
        assert submit(package, api.url) == 1
        error = capsys.readouterr().err
        assert f"--host {api.url}: cannot be reached: [SSL: CERTIFICATE_VERIFY_FAILED]" in error
        assert "SSL_CERT_FILE=FILE" in error
        assert wait(api.url) == 5
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert submit(package, api.url, "--wait") == 0


def test_an_address_with_tls_of_a_server_without(api, package, capsys):
    assert submit(package, api.url.replace("http:", "https:")) == 1
    error = capsys.readouterr().err
    assert "cannot be reached: [SSL: " in error
    assert "an API without TLS has an address with http://" in error


def test_a_web_server_that_is_no_api(package, capsys):
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, format, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert submit(package, f"http://127.0.0.1:{server.server_port}") == 1
    server.shutdown()
    server.server_close()
    error = capsys.readouterr().err
    assert "gave an answer that makes no sense" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--param", "epochs=3"], "--param epochs: there is no such parameter; known are data,"),
        (["--param", "train_epochs=many"], "--param train_epochs=many: expected a whole number"),
        (["--param", "thresholds_accuracy=x"], "expected a number"),
        (["--param", "train_flip=perhaps"], "expected true or false"),
        (["--param", "train_epochs"], "--param train_epochs: expected NAME=VALUE"),
    ],
)
def test_wrong_parameters_never_reach_the_server(api, package, capsys, arguments, message):
    assert submit(package, api.url, *arguments) == 2
    assert message in capsys.readouterr().err
    assert api.requests == []


def test_a_parameter_without_default_must_be_given(api, tmp_path, capsys):
    package = tmp_path / "pipeline.yaml"
    parameters = {"data": {"parameterType": "STRING"}}
    package.write_text(
        yaml.safe_dump({**SPEC, "root": {"inputDefinitions": {"parameters": parameters}}})
    )
    assert submit(package, api.url) == 2
    assert "--param data=VALUE: is missing" in capsys.readouterr().err
    assert submit(package, api.url, "--param", "data=sample") == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "cannot be read"), ("a: [", "cannot be read"), ("a: 1", "holds no pipeline")],
)
def test_wrong_package(api, tmp_path, capsys, text, message):
    package = tmp_path / "pipeline.yaml"
    if text is not None:
        package.write_text(text)
    assert submit(package, api.url) == 2
    assert message in capsys.readouterr().err
    assert api.requests == []


def test_host_without_scheme(package, capsys):
    assert submit(package, "127.0.0.1:8888") == 2
    assert "must begin with http:// or https://" in capsys.readouterr().err


@pytest.mark.parametrize(
    "host", ["http://", "http://a:99999", "http://a:b", "http://a b", "http://[::1"]
)
def test_host_that_is_no_address(package, capsys, host):
    assert submit(package, host) == 2
    assert f"--host {host!r}: is no address; give one such as http://" in capsys.readouterr().err
