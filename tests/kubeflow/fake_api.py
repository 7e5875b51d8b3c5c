"""A server on the loopback that answers as Kubeflow Pipelines' API server does.

The routes and messages are those of its v2beta1 API, as the kfp client's own generated code names them.
What a body may hold is checked against the client's models.
"""

import contextlib
import email
import http.server
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

import kfp_server_api

_API = "/apis/v2beta1"


class FakeApi:
    """The state of the server.

    pipelines, versions, experiments, runs: what was made, by id. states: what a run's next looks
    show; the last one stays. failures: status codes by `METHOD path`, answered in place of the route.
    requests: `METHOD path` of every request. token: what must be sent, where it is not empty.
    """

    def __init__(self):
        self.url = ""
        self.token = ""
        self.states = ["PENDING", "RUNNING", "SUCCEEDED"]
        self.failures: dict[str, int] = {}
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
        if match := re.fullmatch(r"GET /runs/([^/]+)", call):
            return 200, self._look(match[1])
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
        run = {**self.runs[run_id], "state": state}
        if state == "FAILED":
            run["error"] = {"code": 2, "message": "the workflow failed"}
            run["run_details"] = {
                "task_details": [
                    {"display_name": "ImageIngest", "state": "SUCCEEDED"},
                    {
                        "display_name": "AnomalyGate",
                        "state": "FAILED",
                        "error": {"code": 2, "message": "exit status 1"},
                    },
                ]
            }
        return run


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
def serve_api() -> Iterator[FakeApi]:
    """Yields a server that runs."""
    api = FakeApi()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, message = api.answer(self.command, self.path, self.headers, body)
            content = json.dumps(message).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _handle  # noqa: N815 (http.server's names)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
