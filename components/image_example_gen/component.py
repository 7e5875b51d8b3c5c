"""The interface of ImageExampleGen."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from emotion_pipeline.components.artifacts import ImageManifest
from emotion_pipeline.components.fingerprint import step_fingerprint
from emotion_pipeline.components.image_example_gen import executor
from emotion_pipeline.components.wiring import check_channel


class ImageExampleGenSpec(ComponentSpec):
    """Inputs, outputs and properties of ImageExampleGen."""

    PARAMETERS = {"code_fingerprint": ExecutionParameter(type=str)}
    INPUTS = {"manifest": ChannelParameter(type=ImageManifest)}
    OUTPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}


class ImageExampleGen(base_beam_component.BaseBeamComponent):
    """Writes the kept images of a manifest as `tf.Example`s, in the manifest's splits."""

    SPEC_CLASS = ImageExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(self, manifest: types.BaseChannel):
        """Wires the component.

        Args:
          manifest: A channel of `ImageManifest`.

        Raises:
          ValueError: The channel is of another type.
        """
        check_channel("manifest", manifest, ImageManifest)
        super().__init__(
            ImageExampleGenSpec(
                manifest=manifest,
                examples=types.Channel(type=standard_artifacts.Examples),
                code_fingerprint=step_fingerprint("emotion_pipeline.components.image_example_gen"),
            )
        )
