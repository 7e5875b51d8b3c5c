"""Uploads a compiled package to Kubeflow Pipelines, starts a run and follows it."""

import contextlib
import datetime
import io
import pathlib
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from emotion_pipeline.components.errors import UsageError, UserError
from emotion_pipeline.kubeflow.api import connect, explained, id_of, may_be_done
from emotion_pipeline.kubeflow.follow import PATIENCE_SECS, RunLostError, follow, where_it_is


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
    patience_secs: float = PATIENCE_SECS,
    report: Callable[[str], None] = print,
) -> str:
    """Uploads a package as a new version of its pipeline and starts a run of it.

    Args:
      package: What `emotion kubeflow compile` wrote.
      host: Address of Kubeflow Pipelines' API, such as `http://127.0.0.1:8888`.
      parameters: Runtime parameters by name, as texts.
      experiment: Name of the experiment; it is made if need be.
      namespace: Of a multi-user installation.
      token: Bearer token.
      pipeline_root: Folder of the artifacts, in place of the compiled one.
      wait: Whether to follow the run to its end.
      patience_secs: How long the server may be silent while it is followed.
      report: Told where the run is, and each change of its state.

    Returns:
      The run's id.

    Raises:
      UsageError: The address, the package or a parameter is wrong.
      UserError: The server cannot be reached or refuses.
      RunFailedError: The run that was waited for did not succeed.
      RunLostError: It may go on, or may have been started, and the server does not tell.
    """
    spec = read_package(package)
    arguments = parse_parameters(spec, parameters or {})
    name = spec["pipelineInfo"]["name"]
    run_name = f"{name} {datetime.datetime.now():%Y-%m-%d %H:%M:%S.%f}"
    # The client prints addresses as if the API's own had Kubeflow's page.
    with explained(host), contextlib.redirect_stdout(io.StringIO()):
        client = connect(host, namespace, token)
        pipeline_id = client.get_pipeline_id(name)
        if pipeline_id is None:
            made = client.upload_pipeline(str(package), pipeline_name=name)
            pipeline_id = id_of(made, "pipeline_id")
            versions = client.list_pipeline_versions(pipeline_id).pipeline_versions
            if not versions:
                raise ValueError(f"the pipeline {name} was uploaded and has no version")
            version = versions[0]
        else:
            version = client.upload_pipeline_version(
                str(package), pipeline_version_name=run_name, pipeline_id=pipeline_id
            )
        made = client.create_experiment(experiment, namespace=namespace)
        options = {
            "experiment_id": id_of(made, "experiment_id"),
            "job_name": run_name,
            "pipeline_id": pipeline_id,
            "version_id": id_of(version, "pipeline_version_id"),
            "params": arguments,
            "pipeline_root": pipeline_root,
        }
        run_id = _start(client, host, options)
    report(where_it_is(host, run_id))
    if wait:
        steps = tuple(spec["root"].get("dag", {}).get("tasks", {}))
        follow(client, host, run_id, report, namespace, steps, patience_secs)
    return run_id


def _start(client: Any, host: str, options: Mapping[str, Any]) -> str:
    """Starts a run; returns its id.

    Raises:
      UserError: The server refuses.
      RunLostError: Its answer is lost, and the run may be there.
    """
    try:
        with explained(host):
            return id_of(client.run_pipeline(**options), "run_id")
    except UserError as error:
        if not may_be_done(error.__cause__):
            raise
        raise RunLostError(
            f"whether the run was started is not known: {error}\nIf it was, "
            f"`emotion kubeflow runs --host {shlex.quote(host)}` lists it as {options['job_name']}."
        ) from error


def read_package(package: pathlib.Path) -> dict[str, Any]:
    """Returns the PipelineSpec of a package.

    Raises:
      UsageError: The file cannot be read or is no such package.
    """
    try:
        with open(package, encoding="utf-8") as file:
            spec = next(iter(yaml.safe_load_all(file)), None)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        told = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{package}: cannot be read: {told}") from error
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
