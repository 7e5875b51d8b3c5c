"""The pipeline's graph as Kubeflow Pipelines can run it."""

import dataclasses

from tfx.orchestration.pipeline import Pipeline

from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.pipeline import create_pipeline


def create_kubeflow_pipeline(config: PipelineConfig) -> Pipeline:
    """Builds the pipeline of `create_pipeline`, with nothing taken over from earlier runs.

    The cache of Kubeflow Pipelines sees a task's parameters and never that the files of a folder have
    changed.
    """
    return create_pipeline(dataclasses.replace(config, cache=False))
