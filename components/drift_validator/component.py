"""The interface of DriftValidator."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from emotion_pipeline.components.artifacts import DataDrift
from emotion_pipeline.components.drift_validator import executor
from emotion_pipeline.components.drift_validator.statistics import fingerprint_statistics
from emotion_pipeline.components.fingerprint import step_fingerprint
from emotion_pipeline.components.wiring import check_channel


class DriftValidatorSpec(ComponentSpec):
    """Inputs, outputs and properties of DriftValidator."""

    PARAMETERS = {
        "baseline": ExecutionParameter(type=str),
        "baseline_fingerprint": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS = {"drift": ChannelParameter(type=DataDrift)}


class DriftValidator(base_component.BaseComponent):
    """Measures how far eval is from train, and both from an earlier run's.

    TFX's DistributionValidator does the like with thresholds from the pipeline's code. Here they
    stand in the curated schema, where people look for them, and splits too small to be compared are
    left out instead of being reported for what chance did. Component `outputs` contains `drift`.
    """

    SPEC_CLASS = DriftValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self, statistics: types.BaseChannel, schema: types.BaseChannel, baseline: str = ""
    ):
        """Wires the component.

        Args:
          statistics: A channel of ExampleStatistics with the splits train and eval.
          schema: A channel of Schema, whose comparators are used.
          baseline: Folder or file of the statistics of an earlier run; empty for none.

        Raises:
          ValueError: A channel is of another type.
          UserError: The baseline is not there.
        """
        for name, channel, expected in (
            ("statistics", statistics, standard_artifacts.ExampleStatistics),
            ("schema", schema, standard_artifacts.Schema),
        ):
            check_channel(name, channel, expected)
        super().__init__(
            DriftValidatorSpec(
                statistics=statistics,
                schema=schema,
                baseline=baseline,
                baseline_fingerprint=fingerprint_statistics(baseline) if baseline else "",
                code_fingerprint=step_fingerprint("emotion_pipeline.components.drift_validator"),
                drift=types.Channel(type=DataDrift),
            )
        )
