"""Compiles the pipeline for Kubeflow Pipelines v2, and for Vertex AI."""

import json
import pathlib
from typing import Any

import yaml
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

from emotion_pipeline.components.errors import UsageError, UserError
from emotion_pipeline.components.write_file import write_whole
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.engines.secrets import check_may_be_written
from emotion_pipeline.kubeflow.config import KubeflowConfig
from emotion_pipeline.kubeflow.graph import create_kubeflow_pipeline
from emotion_pipeline.kubeflow.parameters import DEFAULT_PARAMETERS, parameter_specs
from emotion_pipeline.kubeflow.platform import platform_spec
from emotion_pipeline.kubeflow.reports import PLACEHOLDERS

ENTRYPOINT = ("python", "-m", "emotion_pipeline.kubeflow.entrypoint", "--node")


def compile_pipeline(config: PipelineConfig, kubeflow: KubeflowConfig) -> list[dict[str, Any]]:
    """Compiles the pipeline.

    Args:
      config: The settings; all paths are those of the containers.
      kubeflow: Where and with what it runs.

    Returns:
      The documents of the package: a PipelineSpec of schema 2.1.0 and, where Kubernetes adds something, a
      PlatformSpec, both as PipelineSpec's JSON has them. For Vertex AI one document: a PipelineJob
      with that PipelineSpec.

    Raises:
      UserError: A setting cannot be a runtime parameter or may hold a secret, or resources are given to
        an unknown step.
    """
    check_may_be_written(config.beam.args)
    spec = tfx_spec(config, kubeflow)
    parameters = parameter_specs(config, (*DEFAULT_PARAMETERS, *kubeflow.parameters))
    spec["root"]["inputDefinitions"] = {"parameters": parameters}
    spec["defaultPipelineRoot"] = kubeflow.pipeline_root
    for node, task in spec["root"]["dag"]["tasks"].items():
        _give_parameters(task, spec["components"][node], parameters)
        _container(spec, node)["command"] = [*ENTRYPOINT, node]
    _set_resources(spec, kubeflow)
    if kubeflow.vertex:
        return [
            {
                "displayName": spec["pipelineInfo"]["name"],
                "pipelineSpec": spec,
                "runtimeConfig": {"gcsOutputDirectory": kubeflow.pipeline_root},
            }
        ]
    platform = platform_spec(spec, kubeflow)
    return [spec, platform] if platform else [spec]


def tfx_spec(config: PipelineConfig, kubeflow: KubeflowConfig) -> dict[str, Any]:
    """Returns the PipelineSpec as TFX compiles it, before anything of ours is put in."""
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config=kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
            default_image=kubeflow.image, use_pipeline_spec_2_1=True
        )
    )
    return runner.run(create_kubeflow_pipeline(config), write_out=False)["pipelineSpec"]


def write_package(documents: list[dict[str, Any]], path: pathlib.Path) -> None:
    """Writes the documents as YAML, a PipelineJob as JSON.

    Raises:
      UsageError: Its name does not end as the clients want it.
      UserError: The file cannot be written.
    """
    is_job = "pipelineSpec" in documents[0]
    suffixes = (".json",) if is_job else (".yaml", ".yml")
    if path.suffix not in suffixes:
        raise UsageError(f"--out {path}: must end in {suffixes[0]}, since clients go by the name")
    if is_job:
        text = json.dumps(documents[0], indent=1, sort_keys=True)
    else:
        text = yaml.safe_dump_all(documents, sort_keys=True)
    try:
        write_whole(path, text)
    except OSError as error:
        raise UserError(f"--out {path}: cannot be written: {error}") from error


def _give_parameters(
    task: dict[str, Any], component: dict[str, Any], parameters: dict[str, Any]
) -> None:
    """Puts the runtime parameters, and which run it is, in the place of TFX's execution properties.

    Those would be fixed when compiling; the entrypoint takes them anew from the graph of the settings.
    """
    task.setdefault("inputs", {})["parameters"] = {
        **{name: {"componentInputParameter": name} for name in parameters},
        **{name: {"runtimeValue": {"constant": text}} for name, text in PLACEHOLDERS.items()},
    }
    component.setdefault("inputDefinitions", {})["parameters"] = {
        **{name: {"parameterType": spec["parameterType"]} for name, spec in parameters.items()},
        **{name: {"parameterType": "STRING"} for name in PLACEHOLDERS},
    }


def _set_resources(spec: dict[str, Any], kubeflow: KubeflowConfig) -> None:
    nodes = spec["root"]["dag"]["tasks"]
    unknown = sorted(set(kubeflow.step_resources) - set(nodes))
    if unknown:
        raise UserError(
            f"--resources {unknown[0]}: there is no such step; known are {', '.join(sorted(nodes))}"
        )
    for node in nodes:
        resources = kubeflow.step_resources.get(node, kubeflow.resources)
        _container(spec, node)["resources"] = resources.to_spec(kubeflow.gpu_type)


def _container(spec: dict[str, Any], node: str) -> dict[str, Any]:
    label = spec["components"][node]["executorLabel"]
    return spec["deploymentSpec"]["executors"][label]["container"]
