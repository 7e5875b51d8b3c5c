"""What each task of the compiled pipeline runs: TFX's executor, under open-source Kubeflow Pipelines.

TFX has an entrypoint of its own, made for Vertex AI. It does the work here too, after this one has made
what the launcher of open-source Kubeflow Pipelines hands over look as TFX expects it:

- execution properties come from the graph of the run's settings (`emotion_pipeline.kubeflow.parameters`);
- which run it is comes as parameters of their own, and the page is left behind (`emotion_pipeline.kubeflow.reports`);
- input artifacts arrive without a type; it is filled in from the component's input spec, which is
  among TFX's own arguments;
- the output `executor-logs` is the launcher's and unknown to TFX: it is left out;
- `minio://`, `s3://` and `gs://` are read and written as the copies that the launcher keeps under
  `/minio`, `/s3` and `/gcs`, and named as before in the output file, in properties too;
- an input artifact that is marked as absent is left out (`emotion_pipeline.components.pushed_model`);
- the process ends without Python's finalisation, in which gRPC threads abort.
"""

import argparse
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.progress import LOGGER_NAME

LOCAL_ROOT_VARIABLE = "EMOTION_LAUNCHER_ROOT"
"""Environment variable: the folder in which the launcher's copies lie, for tests; else `/`."""

_LOCAL_DIRS = {"minio://": "minio/", "s3://": "s3/", "gs://": "gcs/"}
_LOGS_OUTPUT = "executor-logs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one task; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--node", required=True, help="the task's node in the graph")
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", required=True)
    options, beam_args = parser.parse_known_args(arguments)
    # Progress reports are info lines of this logger.
    logging.basicConfig()
    logging.getLogger(LOGGER_NAME).setLevel(logging.INFO)
    try:
        _run(options, beam_args)
    except UserError as error:
        print(f"emotion: {options.node}: {error}", file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _run(options: argparse.Namespace, beam_args: list[str]) -> None:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    from emotion_pipeline.engines.secrets import resolve
    from emotion_pipeline.kubeflow.parameters import apply_parameters
    from emotion_pipeline.kubeflow.reports import PLACEHOLDERS, reported

    root = os.environ.get(LOCAL_ROOT_VARIABLE, "/")
    invocation = json.loads(options.json_serialized_invocation_args)
    inputs_spec = json.loads(options.json_serialized_inputs_spec_args)
    invocation = adapt_invocation(invocation, inputs_spec, root)
    parameters = invocation["inputs"].get("parameterValues", {})
    job = {name: parameters.pop(name) for name in PLACEHOLDERS if name in parameters}
    output_file = invocation["outputs"]["outputFile"]
    with reported(options.node, apply_parameters(parameters), job) as step:
        invocation["inputs"]["parameterValues"] = {
            **execution_properties(options.node, parameters),
            **step.properties(options.node),
        }
        kubeflow_v2_run_executor.main(
            (
                argparse.Namespace(
                    executor_class_path=options.executor_class_path,
                    json_serialized_invocation_args=json.dumps(invocation),
                    json_serialized_inputs_spec_args=options.json_serialized_inputs_spec_args,
                ),
                resolve(beam_args, os.environ),
            )
        )
        with open(output_file, encoding="utf-8") as file:
            step.output = json.load(file)
    restore_uris(step.output, invocation, root)
    with open(output_file, "w", encoding="utf-8") as file:
        json.dump(step.output, file)


def execution_properties(node_id: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Returns a node's execution properties, as JSON has them, from the graph of the run's settings.

    Args:
      node_id: The node.
      parameters: The task's parameters: `settings` and the runtime parameters.

    Raises:
      UserError: A parameter is unknown or has a wrong value, or the graph has no such node.
    """
    from google.protobuf import json_format
    from tfx.orchestration.kubeflow.v2 import compiler_utils

    from emotion_pipeline.kubeflow.graph import create_kubeflow_pipeline
    from emotion_pipeline.kubeflow.parameters import apply_parameters

    nodes = {
        node.id: node for node in create_kubeflow_pipeline(apply_parameters(parameters)).components
    }
    if node_id not in nodes:
        raise UserError(
            f"there is no such step in this image, which knows {', '.join(nodes)}. Compile the "
            "pipeline with the version that the image was built from."
        )
    return {
        name: json_format.MessageToDict(compiler_utils.value_converter(value).constant)
        for name, value in nodes[node_id].exec_properties.items()
        if value is not None
    }


def adapt_invocation(
    invocation: dict[str, Any], inputs_spec: dict[str, Any], root: str
) -> dict[str, Any]:
    """Returns an ExecutorInput message as TFX can read it.

    Args:
      invocation: The ExecutorInput message, as the launcher writes it in JSON.
      inputs_spec: The component's ComponentInputsSpec message.
      root: The folder in which the launcher's copies lie.
    """
    inputs = dict(invocation.get("inputs", {}))
    outputs = dict(invocation["outputs"])
    artifacts = {}
    for key, value in inputs.get("artifacts", {}).items():
        present = [one for one in value["artifacts"] if not one.get("metadata", {}).get("absent")]
        artifact_type = inputs_spec["artifacts"][key]["artifactType"]
        artifacts[key] = {"artifacts": [{**one, "type": artifact_type} for one in present]}
    inputs["artifacts"] = artifacts
    outputs["artifacts"] = {
        key: value for key, value in outputs.get("artifacts", {}).items() if key != _LOGS_OUTPUT
    }
    adapted = json.loads(json.dumps({**invocation, "inputs": inputs, "outputs": outputs}))
    for part in ("inputs", "outputs"):
        _map_uris(adapted[part], lambda uri: local_path(uri, root))
    return adapted


def restore_uris(output: dict[str, Any], invocation: dict[str, Any], root: str) -> None:
    """Names the artifacts of an ExecutorOutput message as before, in place.

    Their properties may name artifacts as well, as a blessing does the models that were compared. Other paths
    among them are nobody's copy and stay.

    Args:
      output: The message, as TFX writes it in JSON.
      invocation: What `adapt_invocation` returned.
      root: The folder in which the launcher's copies lie.
    """
    copies = [
        artifact["uri"].rstrip("/")
        for part in (invocation["inputs"], invocation["outputs"])
        for value in part.get("artifacts", {}).values()
        for artifact in value["artifacts"]
    ]

    def restored(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: restored(one) for key, one in value.items()}
        if isinstance(value, list):
            return [restored(one) for one in value]
        is_one = isinstance(value, str) and any(
            value == copy or value.startswith(f"{copy}/") for copy in copies
        )
        return remote_uri(value, root) if is_one else value

    _map_uris(output, lambda uri: remote_uri(uri, root))
    for value in output.get("artifacts", {}).values():
        value["artifacts"] = [restored(artifact) for artifact in value["artifacts"]]


def local_path(uri: str, root: str) -> str:
    """Returns the launcher's copy of an object: `minio://b/k` is `/minio/b/k`; others stay as they are."""
    for scheme, folder in _LOCAL_DIRS.items():
        if uri.startswith(scheme):
            return os.path.join(root, folder) + uri.removeprefix(scheme)
    return uri


def remote_uri(path: str, root: str) -> str:
    """Undoes `local_path`."""
    for scheme, folder in _LOCAL_DIRS.items():
        prefix = os.path.join(root, folder)
        if path.startswith(prefix):
            return scheme + path.removeprefix(prefix)
    return path


def _map_uris(message: dict[str, Any], change: Callable[[str], str]) -> None:
    for value in message.get("artifacts", {}).values():
        for artifact in value["artifacts"]:
            artifact["uri"] = change(artifact["uri"])


if __name__ == "__main__":
    exit_status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_status)
