"""The interface of ClassBalancer."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from emotion_pipeline.components.class_balancer import executor
from emotion_pipeline.components.class_balancer.plan import METHODS
from emotion_pipeline.components.constants import IMAGE_SIZE_PX
from emotion_pipeline.components.fingerprint import step_fingerprint
from emotion_pipeline.components.wiring import check_channel


class ClassBalancerSpec(ComponentSpec):
    """Inputs, outputs and properties of ClassBalancer."""

    PARAMETERS = {
        "method": ExecutionParameter(type=str),
        "max_shift_px": ExecutionParameter(type=int),
        "seed": ExecutionParameter(type=int),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS = {"balanced_examples": ChannelParameter(type=standard_artifacts.Examples)}


class ClassBalancer(base_beam_component.BaseBeamComponent):
    """Adds translated copies to the train split until each class is as large as the largest.

    The other splits pass through unchanged. The counts before and after are a custom property of
    the output, `class_counts`.
    """

    SPEC_CLASS = ClassBalancerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        method: str = "translate",
        max_shift_px: int = 4,
        seed: int = 0,
    ):
        """Wires the component.

        Args:
          examples: A channel of Examples with the splits `train` and `eval`, and perhaps `test`.
          method: `translate`, or `none` for a train split that passes through as it is.
          max_shift_px: Largest shift along either axis, 1 to 47 pixels.
          seed: Chooses the shifts; the same seed gives the same copies under any runner.

        Raises:
          ValueError: An argument is of another type or out of its range.
        """
        check_channel("examples", examples, standard_artifacts.Examples)
        if method not in METHODS:
            raise ValueError(f"method must be one of {METHODS}, got {method!r}")
        if not 1 <= max_shift_px < IMAGE_SIZE_PX:
            raise ValueError(
                f"max_shift_px must be from 1 to {IMAGE_SIZE_PX - 1}, got {max_shift_px}"
            )
        super().__init__(
            ClassBalancerSpec(
                examples=examples,
                balanced_examples=types.Channel(type=standard_artifacts.Examples),
                method=method,
                max_shift_px=max_shift_px,
                seed=seed,
                code_fingerprint=step_fingerprint("emotion_pipeline.components.class_balancer"),
            )
        )
