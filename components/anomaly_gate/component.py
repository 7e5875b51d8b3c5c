"""The interface of AnomalyGate."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.anomaly_gate import executor
from components.artifacts import ImageManifest
from components.fingerprint import code_fingerprint


class AnomalyGateSpec(ComponentSpec):
    """Inputs and properties of AnomalyGate."""

    PARAMETERS = {"code_fingerprint": ExecutionParameter(type=str)}
    INPUTS = {
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
        "manifest": ChannelParameter(type=ImageManifest),
    }
    OUTPUTS: dict[str, ChannelParameter] = {}


class AnomalyGate(base_component.BaseComponent):
    """Fails when ExampleValidator found anomalies, and names the files behind them.

    ExampleValidator records what it finds and lets the run go on. What comes after this component is
    ordered behind it with `add_upstream_node`.
    """

    SPEC_CLASS = AnomalyGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        anomalies: types.BaseChannel,
        schema: types.BaseChannel,
        manifest: types.BaseChannel,
    ):
        """Wires the component.

        Args:
          anomalies: A channel of ExampleAnomalies.
          schema: A channel of Schema, the one that the examples were compared with.
          manifest: A channel of ImageManifest, where the files behind an anomaly are looked up.

        Raises:
          ValueError: A channel is of another type.
        """
        for name, channel, expected in (
            ("anomalies", anomalies, standard_artifacts.ExampleAnomalies),
            ("schema", schema, standard_artifacts.Schema),
            ("manifest", manifest, ImageManifest),
        ):
            if channel.type is not expected:
                raise ValueError(
                    f"{name} must be a channel of {expected.TYPE_NAME}, got {channel.type_name}"
                )
        super().__init__(
            AnomalyGateSpec(
                anomalies=anomalies,
                schema=schema,
                manifest=manifest,
                code_fingerprint=code_fingerprint("components.anomaly_gate"),
            )
        )
