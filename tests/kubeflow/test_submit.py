"""What `emotion kubeflow submit`, `wait` and `runs` send, and what they say when something is wrong."""

import contextlib
import http.server
import re
import socket
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


@pytest.mark.parametrize("call", ["GET .*/pipelines", "POST .*/upload", "POST .*/runs"])
def test_a_host_that_goes_silent_at_a_call(api, package, capsys, monkeypatch, call):
    monkeypatch.setattr(api_module, "CALL_SECS", (0.2, 0.2))
    with silent_at(api, call):
        assert submit(package, api.url) == 1
    assert "cannot be reached: it does not answer within 0.2 s. Where" in capsys.readouterr().err


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
