"""Uploads a compiled package to Kubeflow Pipelines, starts a run and follows it."""

import contextlib
import datetime
import json
import pathlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from emotion_pipeline.components.errors import UsageError, UserError

_END_STATES = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")
POLL_SECS = 10.0
"""Between two looks at a run that is waited for."""

_MAX_FAILED_POLLS = 5
_FIRST_CALL_SECS = 15.0

_HINTS = {
    401: "give a token with --token or KF_TOKEN that the server accepts",
    403: "the token's user may not do that in this namespace; see --namespace",
    404: "is this the address of Kubeflow Pipelines' API, version 2.0 or later?",
}


class RunFailedError(UserError):
    """A run ended in another state than SUCCEEDED."""


def submit(
    package: pathlib.Path,
    host: str,
    *,
    parameters: Mapping[str, str] | None = None,
    experiment: str = "emotion",
    namespace: str | None = None,
    token: str | None = None,
    pipeline_root: str | None = None,
    wait: bool = False,
    report: Callable[[str], None] = print,
) -> str:
    """Uploads a package as a new version of its pipeline and starts a run of it.

    The kfp client prints the addresses of the pipeline, the experiment and the run.

    Args:
      package: What `emotion kubeflow compile` wrote.
      host: Address of Kubeflow Pipelines' API, such as `http://127.0.0.1:8888`.
      parameters: Runtime parameters by name, as texts.
      experiment: Name of the experiment; it is made if need be.
      namespace: Of a multi-user installation.
      token: Bearer token.
      pipeline_root: Folder of the artifacts, in place of the compiled one.
      wait: Whether to follow the run to its end.
      report: Told each change of the run's state.

    Returns:
      The run's id.

    Raises:
      UsageError: The address, the package or a parameter is wrong.
      UserError: The server cannot be reached or refuses.
      RunFailedError: The run that was waited for did not succeed.
    """
    if not host.startswith(("http://", "https://")):
        raise UsageError(f"--host {host}: must begin with http:// or https://")
    spec = read_package(package)
    arguments = parse_parameters(spec, parameters or {})
    name = spec["pipelineInfo"]["name"]
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S.%f")
    with _explained(host):
        client = _client(host, namespace, token)
        pipeline_id = client.get_pipeline_id(name)
        if pipeline_id is None:
            pipeline_id = client.upload_pipeline(str(package), pipeline_name=name).pipeline_id
            versions = client.list_pipeline_versions(pipeline_id).pipeline_versions
            version_id = versions[0].pipeline_version_id
        else:
            version_id = client.upload_pipeline_version(
                str(package), pipeline_version_name=f"{name} {now}", pipeline_id=pipeline_id
            ).pipeline_version_id
        experiment_id = client.create_experiment(experiment, namespace=namespace).experiment_id
        run_id = client.run_pipeline(
            experiment_id=experiment_id,
            job_name=f"{name} {now}",
            pipeline_id=pipeline_id,
            version_id=version_id,
            params=arguments,
            pipeline_root=pipeline_root,
        ).run_id
        if wait:
            _follow(client, run_id, report)
    return run_id


def read_package(package: pathlib.Path) -> dict[str, Any]:
    """Returns the PipelineSpec of a package.

    Raises:
      UsageError: The file cannot be read or is no such package.
    """
    try:
        with open(package, encoding="utf-8") as file:
            spec = next(iter(yaml.safe_load_all(file)), None)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{package}: cannot be read: {error}") from error
    if not isinstance(spec, dict) or "pipelineInfo" not in spec or "root" not in spec:
        raise UsageError(
            f"{package}: holds no pipeline; make it with `emotion kubeflow compile --out {package}`"
        )
    return spec


def parse_parameters(spec: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Returns runtime parameters with the types that a package declares for them.

    Raises:
      UsageError: A parameter is unknown, has no default and no value, or its text is not of its type.
    """
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name in texts:
        if name not in declared:
            raise UsageError(
                f"--param {name}: there is no such parameter; known are "
                f"{', '.join(sorted(declared))}. Others become parameters with "
                "`emotion kubeflow compile --parameter SETTING`."
            )
    for name, one in declared.items():
        if "defaultValue" not in one and name not in texts:
            raise UsageError(f"--param {name}=VALUE: is missing, and the package has no default")
    return {name: _parse(name, text, declared[name]) for name, text in texts.items()}


def _parse(name: str, text: str, declared: Mapping[str, Any]) -> Any:
    kind = declared["parameterType"]
    try:
        if kind == "NUMBER_INTEGER":
            return int(text)
        if kind == "NUMBER_DOUBLE":
            return float(text)
        if kind == "BOOLEAN":
            return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        expected = {"NUMBER_INTEGER": "a whole number", "NUMBER_DOUBLE": "a number"}
        raise UsageError(
            f"--param {name}={text}: expected {expected.get(kind, 'true or false')}"
        ) from None
    return text


def _client(host: str, namespace: str | None, token: str | None):
    """Returns the kfp client, once the server has answered.

    The client's own first call is tried five times, whatever the answer, and waits for ever.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kfp.client
        import kfp_server_api

        configuration = kfp_server_api.Configuration(host=host.rstrip("/"))
        if token:
            configuration.api_key = {"authorization": token}
            configuration.api_key_prefix = {"authorization": "Bearer"}
        health = kfp_server_api.HealthzServiceApi(kfp_server_api.ApiClient(configuration))
        # The method is named for its service too in the client of newer versions: in 2.17.3, not in 2.0.5.
        ask = getattr(health, "healthz_service_get_healthz", None) or health.get_healthz
        answer = ask(_request_timeout=_FIRST_CALL_SECS, _preload_content=False)
        json.loads(answer.data)  # a page of some other server is no JSON
        return kfp.client.Client(host=host, namespace=namespace or "kubeflow", existing_token=token)


def _follow(client, run_id: str, report: Callable[[str], None]) -> None:
    """Reports each change of a run's state until it has ended.

    Raises:
      RunFailedError: It did not succeed.
    """
    told = None
    failed_polls = 0
    while True:
        try:
            run = client.get_run(run_id)
            failed_polls = 0
        except Exception as error:
            failed_polls += 1
            if failed_polls == _MAX_FAILED_POLLS or not _may_pass(error):
                raise
            time.sleep(POLL_SECS)
            continue
        if run.state != told:
            told = run.state
            report(f"run {run_id}: {told}")
        if told in _END_STATES:
            break
        time.sleep(POLL_SECS)
    if told == "SUCCEEDED":
        return
    lines = [f"run {run_id} ended as {told}"]
    if run.error and run.error.message:
        lines.append(run.error.message)
    details = (run.run_details.task_details if run.run_details else None) or []
    lines += [
        f"step {task.display_name}: {task.error.message if task.error else task.state}"
        for task in details
        if task.state == "FAILED"
    ]
    raise RunFailedError("\n".join(lines))


def _may_pass(error: Exception) -> bool:
    """Whether a failed call may well succeed the next time: the network, or the server's trouble."""
    import kfp_server_api
    import urllib3

    if isinstance(error, kfp_server_api.ApiException):
        return error.status >= 500
    return isinstance(error, urllib3.exceptions.HTTPError | OSError)


@contextlib.contextmanager
def _explained(host: str) -> Iterator[None]:
    """Turns what the client raises into UserErrors that say what to do."""
    import kfp_server_api
    import urllib3

    try:
        yield
    except kfp_server_api.ApiException as error:
        hint = _HINTS.get(error.status, "see the log of the API server")
        raise UserError(
            f"--host {host}: answered {error.status} {error.reason}: {_message(error.body)}; {hint}"
        ) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UserError(
            f"--host {host}: cannot be reached: {error}. Where the API is inside a cluster, "
            "`kubectl port-forward -n kubeflow svc/ml-pipeline 8888` brings it to "
            "http://127.0.0.1:8888."
        ) from error
    except ValueError as error:
        raise UserError(f"--host {host}: gave an answer that makes no sense: {error}") from error


def _message(body: Any) -> str:
    """Returns the message in an error's body, which is JSON from the API and HTML from proxies."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        answer = yaml.safe_load(text)
    except yaml.YAMLError:
        answer = None
    if isinstance(answer, dict):
        text = str(
            answer.get("error_message") or answer.get("message") or answer.get("error") or ""
        )
    return text.strip()[:500] or "no message"
