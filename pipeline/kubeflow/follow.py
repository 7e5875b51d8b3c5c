"""Follows a run on Kubeflow Pipelines to its end, and lists runs."""

import dataclasses
import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from emotion_pipeline.components.errors import UsageError, UserError
from emotion_pipeline.kubeflow.api import connect, explained, id_of, may_pass, shown
from emotion_pipeline.kubeflow.nodes import FailedStep, failed_steps

_END_STATES = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")
_NO_STATES = ("", "RUNTIME_STATE_UNSPECIFIED")

POLL_SECS = 10.0
"""Between two looks at a run that is waited for."""

PATIENCE_SECS = 600.0
"""How long looks at a run may fail before it is given up: a port-forward is begun anew within that."""

_LOG_LINES = 20
_DEFAULT_NAMESPACE = "kubeflow"


class RunFailedError(UserError):
    """A run ended in another state than SUCCEEDED."""


class RunLostError(UserError):
    """A run can no longer be looked at; it may go on, and may have succeeded."""


def wait(
    host: str,
    run_id: str,
    *,
    namespace: str | None = None,
    token: str | None = None,
    patience_secs: float = PATIENCE_SECS,
    report: Callable[[str], None] = print,
) -> None:
    """Follows a run that was started before.

    Args:
      host: Address of Kubeflow Pipelines' API.
      run_id: The run.
      namespace: Of a multi-user installation.
      token: Bearer token.
      patience_secs: How long the server may be silent.
      report: Told each change of the run's state.

    Raises:
      UsageError: The address is none of HTTP, or the server knows no such run.
      RunFailedError: It did not succeed.
      RunLostError: The server does not tell.
    """
    import kfp_server_api

    try:
        with explained(host):
            client = connect(host, namespace, token)
            try:
                _look(client, run_id)
            except kfp_server_api.ApiException as error:
                if error.status in (400, 404):
                    raise UsageError(
                        f"{run_id}: the server knows no such run; `emotion kubeflow runs --host "
                        f"{shlex.quote(host)}` lists them"
                    ) from None
                if not may_pass(error):
                    raise
    except UsageError:
        raise
    except UserError as error:
        raise RunLostError(_lost(host, run_id, str(error))) from error
    follow(client, host, run_id, report, namespace, (), patience_secs)


def follow(
    client: Any,
    host: str,
    run_id: str,
    report: Callable[[str], None],
    namespace: str | None,
    steps: Iterable[str],
    patience_secs: float,
) -> None:
    """Reports each change of a run's state until it has ended.

    Args:
      client: As `api.connect` makes it.
      host: Its address.
      run_id: The run.
      report: Told each change.
      namespace: Of the run's pods; None is Kubeflow Pipelines' own.
      steps: The package's steps, where they are known.
      patience_secs: How long looks may fail.

    Raises:
      RunFailedError: It did not succeed.
      RunLostError: No look has succeeded for that long, or the server refuses.
    """
    told = silent_since = None
    while True:
        try:
            with explained(host):
                run = _look(client, run_id)
        except UserError as error:
            now = time.monotonic()
            begun = silent_since if silent_since is not None else now
            cause = error.__cause__
            if now - begun >= patience_secs or not (cause and may_pass(cause)):  # type: ignore[arg-type]
                raise RunLostError(_lost(host, run_id, str(error))) from error
            if silent_since is None:
                silent_since = now
                report(f"run {run_id}: the server does not answer, asking again")
            time.sleep(POLL_SECS)
            continue
        silent_since = None
        state = state_of(run)
        if state is not None and state != told:
            told = state
            report(f"run {run_id}: {' '.join(shown(told))}")
        if told in _END_STATES:
            break
        time.sleep(POLL_SECS)
    if told != "SUCCEEDED":
        details = (run.run_details.task_details if run.run_details else None) or []
        reason = str(run.error.message) if run.error and run.error.message else ""
        lines = [f"run {run_id} ended as {told}", *shown(reason)]
        found = failed_steps(details, steps)
        for step in found:
            lines += _describe(client, run_id, step, namespace or _DEFAULT_NAMESPACE)
        if not found and told == "FAILED":
            lines.append("which step failed the server does not tell; the end of each one's log:")
            lines.append(_logs(run_id, "", namespace or _DEFAULT_NAMESPACE))
        raise RunFailedError("\n".join(lines))


def _look(client: Any, run_id: str) -> Any:
    """Returns what the server tells of a run.

    Raises:
      ValueError: It tells of none.
    """
    run = client.get_run(run_id)
    id_of(run, "run_id")
    return run


def state_of(run: Any) -> str | None:
    """Returns a run's state, the last known where the server has none now; None before the first."""
    history = [one.state for one in run.state_history or ()]
    states = [
        one for one in (*history, run.state) if isinstance(one, str) and one not in _NO_STATES
    ]
    return states[-1] if states else None


@dataclasses.dataclass(frozen=True)
class RunLine:
    """A run: its id, its state (empty before the first), when it was made in UTC, and its name."""

    run_id: str
    state: str
    created: str
    name: str


def list_runs(
    host: str, *, namespace: str | None = None, token: str | None = None, limit: int = 20
) -> list[RunLine]:
    """Returns the last runs that a server knows of, the newest first.

    Raises:
      UsageError: The address is none of HTTP.
      UserError: The server cannot be reached or refuses.
    """
    with explained(host):
        client = connect(host, namespace, token)
        answer = client.list_runs(page_size=limit, sort_by="created_at desc", namespace=namespace)
        return [
            RunLine(
                id_of(run, "run_id"),
                " ".join(shown(state_of(run) or "")),
                run.created_at.strftime("%Y-%m-%d %H:%M:%S") if run.created_at else "",
                " ".join(shown(str(run.display_name or ""))),
            )
            for run in answer.runs or ()
        ]


def where_it_is(host: str, run_id: str) -> str:
    """Returns how a run can be looked at: here, and on Kubeflow's page, which has another port."""
    return (
        f"run {run_id} started; `emotion kubeflow wait {run_id} --host {shlex.quote(host)}` follows it.\n"
        f"Its page, once `kubectl port-forward -n {_DEFAULT_NAMESPACE} svc/ml-pipeline-ui 8080:80` runs: "
        f"http://127.0.0.1:8080/#/runs/details/{run_id}"
    )


def _lost(host: str, run_id: str, why: str) -> str:
    return (
        f"run {run_id} is out of sight, and may well go on: {why}\n"
        f"Wait for it with `emotion kubeflow wait {run_id} --host {shlex.quote(host)}`."
    )


def _describe(client: Any, run_id: str, step: FailedStep, namespace: str) -> Iterator[str]:
    """Yields what is known about a failed step: message, the log's last lines, how to read it all."""
    yield from shown(f"step {step.name} failed" + (f": {step.message}" if step.message else ""))
    if step.pod:
        yield f"its pod: {step.pod}"
        for line in _read_log(client, run_id, step.pod):
            yield f"    {line}"
    yield f"its log: {_logs(run_id, step.pod, namespace)}"


def _logs(run_id: str, pod: str, namespace: str) -> str:
    which = pod or f"-l pipeline/runid={shlex.quote(run_id)} --prefix --tail={_LOG_LINES}"
    return f"kubectl logs -n {shlex.quote(namespace)} {which} -c main"


def _read_log(client: Any, run_id: str, pod: str) -> list[str]:
    """Returns the last lines of a pod's log as the API server has it, none where it has not."""
    import kfp_server_api
    import urllib3

    api = client._run_api.api_client
    try:
        answer = api.call_api(
            "/apis/v1alpha1/runs/{run_id}/nodes/{node_id}/log", "GET",
            {"run_id": run_id, "node_id": pod}, [("follow", "false")], {"Accept": "*/*"},
            auth_settings=["Bearer"], _preload_content=False, _return_http_data_only=True,
        )  # fmt: skip
    except (kfp_server_api.ApiException, urllib3.exceptions.HTTPError, OSError):
        return []
    text: str = answer.data.decode("utf-8", "replace")
    return shown(text.rstrip())[-_LOG_LINES:]
