"""The interface of PushedModel."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from emotion_pipeline.components.fingerprint import code_fingerprint
from emotion_pipeline.components.pushed_model import executor


class PushedModelSpec(ComponentSpec):
    """Outputs and properties of PushedModel."""

    PARAMETERS = {
        "push_dir": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}


class PushedModel(base_component.BaseComponent):
    """Fetches the newest version from the push destination: the latest blessed model.

    It stands where a Resolver asks ML Metadata, which open-source Kubeflow Pipelines cannot do:
    whatever was pushed was blessed. Component `outputs` contains `model`, which is marked as absent
    where nothing was pushed yet.
    """

    SPEC_CLASS = PushedModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, push_dir: str):
        """Wires the component.

        Args:
          push_dir: Folder of the version folders that the Pusher writes.

        Raises:
          ValueError: `push_dir` is empty.
        """
        if not push_dir:
            raise ValueError("push_dir must name the folder of the version folders")
        super().__init__(
            PushedModelSpec(
                push_dir=push_dir,
                code_fingerprint=code_fingerprint("emotion_pipeline.components.pushed_model"),
                model=types.Channel(type=standard_artifacts.Model),
            )
        )
