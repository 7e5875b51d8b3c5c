"""What is missing is said, against stand-ins for what is there."""

import http.server
import json
import pathlib
import socket
import threading
import time

import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.configs import BeamConfig
from emotion_pipeline.engines import job_server
from emotion_pipeline.engines.preflight import (
    check_dataflow,
    check_flink,
    flink_overview,
    ready_engine,
)
from emotion_pipeline.engines.probe import Expected, explain_failure, find_problems

OVERVIEW = {
    "flink-version": "1.19.1",
    "taskmanagers": 2,
    "slots-total": 4,
    "slots-available": 3,
}
FLINK = BeamConfig(runner="flink", flink_master="jm:8081")


@pytest.fixture
def rest():
    """A JobManager's REST interface that holds what the test puts into it; yields its HOST:PORT."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(self.server.overview).encode()
            self.send_response(200 if self.path == "/overview" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.overview = OVERVIEW
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server, f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def silent_port():
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def check(config: BeamConfig, folder: pathlib.Path) -> BeamConfig:
    with ready_engine(config, str(folder / "artifacts"), (str(folder),), folder / "logs") as ready:
        return ready


def test_in_this_process_there_is_nothing_to_check(tmp_path):
    assert check(BeamConfig(), tmp_path) == BeamConfig()
    assert not list(tmp_path.iterdir())


def test_a_job_is_cut_into_as_many_parts_as_slots_are_free_unless_told():
    assert check_flink(FLINK, OVERVIEW) == 3
    assert check_flink(BeamConfig(runner="flink", flink_master="x", parallelism=2), OVERVIEW) == 2


def test_reads_the_overview_of_a_job_manager(rest):
    server, address = rest
    assert flink_overview(address) == OVERVIEW
    assert flink_overview(f"http://{address}/") == OVERVIEW
    server.overview = {"hello": "world"}
    with pytest.raises(UserError, match=r"is no JobManager's, it holds .*world"):
        flink_overview(address)


def test_no_job_manager(tmp_path):
    port = job_server.free_port()
    config = BeamConfig(runner="flink", flink_master=f"127.0.0.1:{port}")
    with pytest.raises(UserError, match=rf"no Flink JobManager answers at http://127.0.0.1:{port}"):
        check(config, tmp_path)


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        ({"taskmanagers": 0, "slots-total": 0, "slots-available": 0}, {}, "0 TaskManagers and no"),
        ({"slots-available": 0}, {}, "0 of its 4 slots are free, the run needs 1"),
        ({}, {"parallelism": 4}, "3 of its 4 slots are free, the run needs 4"),
        ({"flink-version": "1.20.0"}, {}, r"runs Flink 1\.20\.0, .* speaks to 1\.19"),
    ],
)
def test_no_slot_or_another_flink(changes, settings, message, rest, tmp_path):
    server, address = rest
    server.overview = {**OVERVIEW, **changes}
    with pytest.raises(UserError, match=message):
        check(BeamConfig(runner="flink", flink_master=address, **settings), tmp_path)


def test_a_job_server_of_the_users_own_may_be_for_another_flink():
    config = BeamConfig(runner="flink", flink_master="jm:8081", job_endpoint="js:8099")
    assert check_flink(config, {**OVERVIEW, "flink-version": "1.18.0"}) == 3


def test_no_job_server(tmp_path):
    endpoint = f"127.0.0.1:{job_server.free_port()}"
    config = BeamConfig(runner="portable", job_endpoint=endpoint)
    start = time.monotonic()
    with pytest.raises(UserError, match=rf"--job-endpoint {endpoint}: no job server answers"):
        check(config, tmp_path)
    assert time.monotonic() - start < 30


def test_a_port_that_is_no_job_server(silent_port, tmp_path):
    config = BeamConfig(runner="portable", job_endpoint=f"127.0.0.1:{silent_port}")
    with pytest.raises(UserError, match="no job server answers there"):
        check(config, tmp_path)


def test_no_java_to_start_a_job_server_with(rest, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    _, address = rest
    with pytest.raises(UserError, match="java: not found on PATH; Beam's job server needs it"):
        check(BeamConfig(runner="flink", flink_master=address), tmp_path)


def test_a_job_server_that_ends_at_once_names_its_log(rest, tmp_path, monkeypatch):
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho no memory\nexit 1\n")
    java.chmod(0o755)
    jars = tmp_path / "cache" / "emotion-pipeline" / f"beam-{job_server_version()}-flink"
    jars.mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{java.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, address = rest
    log = tmp_path / "logs" / "job-server.log"
    with pytest.raises(UserError, match=f"did not come up; see {log}"):
        check(BeamConfig(runner="flink", flink_master=address), tmp_path)
    assert log.read_text() == "no memory\n"


def job_server_version() -> str:
    import apache_beam

    return apache_beam.__version__


def test_dataflow_needs_its_arguments_and_cloud_storage():
    given = ["--project=p", "--region=r", "--temp_location=gs://b/t"]

    def config(args):
        return BeamConfig(runner="dataflow", worker_image="i", args=tuple(args))

    check_dataflow(config(given), ("gs://b/root", "gs://b/data"))
    for left_out in range(3):
        args = given[:left_out] + given[left_out + 1 :]
        key = given[left_out].split("=")[0]
        with pytest.raises(UserError, match=f"needs --beam-arg={key}="):
            check_dataflow(config(args), ("gs://b/root",))
    with pytest.raises(UserError, match="its workers cannot read /home/data"):
        check_dataflow(config(given), ("gs://b/root", "/home/data"))


def test_a_worker_finds_what_it_lacks(tmp_path):
    (tmp_path / "token").write_text("abc")

    def problems(**changes):
        here = {
            "token_path": str(tmp_path / "token"),
            "token": "abc",
            "answers_dir": str(tmp_path),
            "readable": (str(tmp_path),),
            "code": find_code(),
        }
        return find_problems(Expected(**{**here, **changes}))

    assert problems() == []
    (unshared,) = problems(token_path=str(tmp_path / "none"))
    assert "which the run has just written" in unshared
    (other_disk,) = problems(token="abd")
    assert "has another content there than here" in other_disk
    (no_data,) = problems(readable=(str(tmp_path), "/nowhere"))
    assert "cannot read /nowhere" in no_data
    (other_code,) = problems(code="0123")
    assert "install the same wheel" in other_code


def find_code() -> str:
    from emotion_pipeline.components.fingerprint import code_fingerprint

    return code_fingerprint("emotion_pipeline", "emotion_faces")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "x\nRuntimeError: [probe]worker on h cannot read /d[probe] [while",
            "a worker on h cannot",
        ),
        ("ModuleNotFoundError: No module named 'pipeline'\n at", "has no module named pipeline:"),
        (
            "UNAVAILABLE: io exception\nConnection refused: localhost/127.0.0.1:50000",
            "worker pool at",
        ),
        ("Pipeline p failed: no\n\tat a.B\nCaused by: x\n\tat\nCaused by: y\n", "failed: y. Its"),
        ("Connection refused: jm/10.0.0.1:6123\n", "failed: Connection refused: jm/10.0.0.1:6123"),
    ],
)
def test_a_failed_job_is_explained(text, message):
    args = ["--environment_config=localhost:50000"]
    assert message in explain_failure(text, args)
