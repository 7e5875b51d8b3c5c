"""A server on the loopback that answers as Kubeflow Pipelines' API server does.

The routes and messages are those of its v2beta1 API, as the kfp client's own generated code names them.
What a body may hold is checked against the client's models. What it tells of a run that failed is as a Kubeflow
Pipelines of August 2026 with Argo 4.0 told it: the nodes of Argo's workflow, without an error and without a node's
own id, and no error of the run.
"""

import contextlib
import email
import http.server
import json
import re
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

import kfp_server_api

from emotion_pipeline.kubeflow.nodes import fnv1a

WORKFLOW = "emotion-j5nvq"

_API = "/apis/v2beta1"


class FakeApi:
    """The state of the server.

    pipelines, versions, experiments, runs: what was made, by id. states: what a run's next looks
    show; the last one stays. failures: status codes by `METHOD path`, answered in place of the route.
    requests: `METHOD path` of every request. token: what must be sent, where it is not empty.
    failed: the step that fails where a state is FAILED. logs: of pods, by their names. headers: more of them, of
    every answer.
    """

    def __init__(self):
        self.url = ""
        self.token = ""
        self.states = ["PENDING", "RUNNING", "SUCCEEDED"]
        self.failures: dict[str, int] = {}
        self.failed = "AnomalyGate"
        self.logs: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.requests: list[str] = []
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.packages: dict[str, bytes] = {}
        self.experiments: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}

    def answer(self, method: str, url: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Returns the status and the message of an answer."""
        parts = urllib.parse.urlsplit(url)
        path = parts.path.removeprefix(_API)
        query = dict(urllib.parse.parse_qsl(parts.query))
        call = f"{method} {path}"
        self.requests.append(call)
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"error": "Request header error: there is no user identity header."}
        for pattern, status in self.failures.items():
            if re.fullmatch(pattern, call):
                return status, {"error_message": f"planted {status}", "error_details": "planted"}
        if call == "GET /healthz":
            return 200, {"multi_user": False}
        if call == "GET /pipelines":
            return 200, _listed("pipelines", self.pipelines, query)
        if call == "POST /pipelines/upload":
            pipeline_id = f"pipeline-{len(self.pipelines) + 1}"
            made = {"pipeline_id": pipeline_id, "display_name": query["name"]}
            self.pipelines[pipeline_id] = made
            self._add_version(pipeline_id, query["name"], headers, body)
            return 200, made
        if call == "POST /pipelines/upload_version":
            return 200, self._add_version(query["pipelineid"], query["name"], headers, body)
        if match := re.fullmatch(r"GET /pipelines/([^/]+)/versions", call):
            versions = [v for v in self.versions.values() if v["pipeline_id"] == match[1]]
            return 200, {"pipeline_versions": versions}
        if call == "GET /experiments":
            return 200, _listed("experiments", self.experiments, query)
        if call == "POST /experiments":
            made = _checked(json.loads(body), kfp_server_api.V2beta1Experiment)
            made["experiment_id"] = f"experiment-{len(self.experiments) + 1}"
            self.experiments[made["experiment_id"]] = made
            return 200, made
        if call == "POST /runs":
            run = _checked(json.loads(body), kfp_server_api.V2beta1Run)
            _checked(run["runtime_config"], kfp_server_api.V2beta1RuntimeConfig)
            run["run_id"] = f"run-{len(self.runs) + 1}"
            self.runs[run["run_id"]] = run
            return 200, run
        if call == "GET /runs":
            assert query["sort_by"] == "created_at desc"
            runs = [self._look(run_id) for run_id in reversed(self.runs)]
            return 200, {"runs": runs[: int(query["page_size"])], "total_size": len(runs)}
        if match := re.fullmatch(r"GET /runs/([^/]+)", call):
            if match[1] not in self.runs:
                return 404, {"code": 5, "message": f"Run {match[1]} not found", "details": []}
            return 200, self._look(match[1])
        match = re.fullmatch(r"GET /apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log", call)
        if match and match[2] in self.logs:
            return 200, self.logs[match[2]]
        return 404, {"code": 5, "message": "Not Found", "details": []}

    def _add_version(self, pipeline_id: str, name: str, headers: Any, body: bytes) -> dict:
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        (part,) = email.message_from_bytes(head + body).get_payload()
        assert part.get_param("name", header="content-disposition") == "uploadfile"
        version_id = f"version-{len(self.versions) + 1}"
        self.packages[version_id] = part.get_payload(decode=True)
        self.versions[version_id] = {
            "pipeline_id": pipeline_id,
            "pipeline_version_id": version_id,
            "display_name": name,
        }
        return self.versions[version_id]

    def _look(self, run_id: str) -> dict[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        history = [{"update_time": "2026-08-30T10:00:00Z"}]  # of no state at all
        run = {**self.runs[run_id], "created_at": "2026-08-30T10:00:00Z", "state_history": history}
        if state:
            run["state"] = state
            history.append({"update_time": "2026-08-30T10:00:01Z", "state": state})
        if state == "FAILED":
            run["run_details"] = {
                "task_details": argo_nodes(run_id, ["ImageIngest", "StatisticsGen"], self.failed)
            }
        return run


def argo_nodes(run_id: str, succeeded: list[str], failed: str) -> list[dict[str, Any]]:
    """Returns task details of a run in which one step has failed after others, in an order of no meaning."""
    whole = f"{WORKFLOW}(0)"
    nodes = [(WORKFLOW, "FAILED", [whole]), (whole, "FAILED", [f"{whole}.root-driver"]),
             (f"{whole}.root-driver", "SUCCEEDED", [f"{whole}.root"]),
             (f"{whole}.root", "FAILED", [f"{whole}.root.{succeeded[0]}-driver"])]  # fmt: skip
    steps = [*succeeded, failed]
    for step, after in zip(steps, [*steps[1:], ""], strict=True):
        path, state = f"{whole}.root.{step}", "FAILED" if step == failed else "SUCCEEDED"
        nodes += [
            (f"{path}-driver", "SUCCEEDED", [path]),
            (path, state, [f"{path}.executor"]),
            (f"{path}.executor", state, [f"{path}.executor(0)"]),
            (f"{path}.executor(0)", state, [f"{whole}.root.{after}-driver"] if after else []),
        ]
    return sorted(
        (
            {
                "run_id": run_id,
                "task_id": f"{fnv1a(path[::-1].encode()):08x}-0000-4000-8000-000000000000",
                "display_name": path.rpartition(".")[2],
                "create_time": "2026-08-30T10:00:00Z",
                "state": state,
                "state_history": [{"update_time": "2026-08-30T10:00:00Z"}],
                "child_tasks": [{"pod_name": node_id(child)} for child in children],
            }
            for path, state, children in nodes
        ),
        key=lambda one: one["task_id"],
    )


def node_id(path: str) -> str:
    """Returns Argo's id of the node at a path."""
    return f"{WORKFLOW}-{fnv1a(path.encode())}"


def pod_of(step: str, last: str = "executor(0)") -> str:
    """Returns the name of a step's pod."""
    value = fnv1a(f"{WORKFLOW}(0).root.{step}.{last}".encode())
    return f"{WORKFLOW}-system-container-impl-{value}"


def _listed(key: str, things: dict[str, dict], query: dict[str, str]) -> dict[str, Any]:
    (predicate,) = json.loads(query["filter"])["predicates"]
    assert predicate["key"] == "display_name"
    found = [t for t in things.values() if t["display_name"] == predicate["stringValue"]]
    return {key: found, "total_size": len(found)} if found else {}


def _checked(message: dict[str, Any], model: type) -> dict[str, Any]:
    unknown = set(message) - set(model.attribute_map.values())  # type: ignore[attr-defined]
    assert not unknown, f"{model.__name__} has no {unknown}"
    return message


@contextlib.contextmanager
def serve_api(tls: ssl.SSLContext | None = None) -> Iterator[FakeApi]:
    """Yields a server that runs, behind TLS where a context for it is given."""
    api = FakeApi()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, message = api.answer(self.command, self.path, self.headers, body)
            is_text = isinstance(message, str)
            content = (message if is_text else json.dumps(message)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in api.headers.items():
                self.send_header(name, value)
            # Who has waited too long is gone.
            with contextlib.suppress(ConnectionError):
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = _handle  # noqa: N815 (http.server's names)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    api.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
