"""The interface of PushedModel."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from emotion_pipeline.components.fingerprint import step_fingerprint
from emotion_pipeline.components.pushed_model import executor


class PushedModelSpec(ComponentSpec):
    """Outputs and properties of PushedModel."""

    PARAMETERS = {
        "push_dir": ExecutionParameter(type=str),
        "served": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}


class PushedModel(base_component.BaseComponent):
    """Fetches the newest version from the push destination: the model to beat.

    It stands where a Resolver asks ML Metadata for the latest blessed model, which may be one that
    nobody serves any more: whoever deletes a version to go back to the one before wants new models to
    be compared with that. Open-source Kubeflow Pipelines has no Resolver either. Component `outputs`
    contains `model`, which is marked as absent where nothing is served.
    """

    SPEC_CLASS = PushedModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, push_dir: str, served: str = ""):
        """Wires the component.

        Args:
          push_dir: Folder of the version folders that the Pusher writes.
          served: `served_model.describe_served(push_dir)`, part of the cache's key; where it is given,
            it must still hold when the component runs.

        Raises:
          ValueError: `push_dir` is empty.
        """
        if not push_dir:
            raise ValueError("push_dir must name the folder of the version folders")
        super().__init__(
            PushedModelSpec(
                push_dir=push_dir,
                served=served,
                code_fingerprint=step_fingerprint("emotion_pipeline.components.pushed_model"),
                model=types.Channel(type=standard_artifacts.Model),
            )
        )
