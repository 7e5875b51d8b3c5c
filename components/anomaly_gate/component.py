"""The interface of AnomalyGate."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from emotion_pipeline.components.anomaly_gate import executor
from emotion_pipeline.components.artifacts import DataDrift, ImageFindings, ImageManifest
from emotion_pipeline.components.fingerprint import step_fingerprint
from emotion_pipeline.components.image_findings.kinds import FAIL, REPORT
from emotion_pipeline.components.wiring import check_channel


class AnomalyGateSpec(ComponentSpec):
    """Inputs and properties of AnomalyGate."""

    PARAMETERS = {
        "drift_policy": ExecutionParameter(type=str),
        "max_dropped_fraction": ExecutionParameter(type=float),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
        "manifest": ChannelParameter(type=ImageManifest),
        "findings": ChannelParameter(type=ImageFindings),
        "drift": ChannelParameter(type=DataDrift),
    }
    OUTPUTS: dict[str, ChannelParameter] = {}


class AnomalyGate(base_component.BaseComponent):
    """Fails at anomalies, at forbidden findings and drift, and where the audit drops too much of train.

    ExampleValidator, ImageAudit and DriftValidator record what they find and let the run go on; this
    is the one place that stops it, with the files behind each anomaly named. What comes after is
    ordered behind it with `add_upstream_node`.
    """

    SPEC_CLASS = AnomalyGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        anomalies: types.BaseChannel,
        schema: types.BaseChannel,
        manifest: types.BaseChannel,
        findings: types.BaseChannel,
        drift: types.BaseChannel,
        drift_policy: str = REPORT,
        max_dropped_fraction: float = 1.0,
    ):
        """Wires the component.

        Args:
          anomalies: A channel of ExampleAnomalies.
          schema: A channel of Schema, the one that the examples were compared with.
          manifest: A channel of ImageManifest, where the files behind an anomaly are looked up.
          findings: A channel of ImageFindings.
          drift: A channel of DataDrift.
          drift_policy: 'report' or 'fail', for distances above the schema's thresholds.
          max_dropped_fraction: Largest share of the train pictures that the audit may drop, 0 to 1.

        Raises:
          ValueError: A channel is of another type, or there is no such policy, or the share is out of its range.
        """
        if drift_policy not in (REPORT, FAIL):
            raise ValueError(f"drift_policy must be {REPORT} or {FAIL}, got {drift_policy!r}")
        if not 0 <= max_dropped_fraction <= 1:
            raise ValueError(f"max_dropped_fraction must be 0 to 1, got {max_dropped_fraction}")
        for name, channel, expected in (
            ("anomalies", anomalies, standard_artifacts.ExampleAnomalies),
            ("schema", schema, standard_artifacts.Schema),
            ("manifest", manifest, ImageManifest),
            ("findings", findings, ImageFindings),
            ("drift", drift, DataDrift),
        ):
            check_channel(name, channel, expected)
        super().__init__(
            AnomalyGateSpec(
                anomalies=anomalies,
                schema=schema,
                manifest=manifest,
                findings=findings,
                drift=drift,
                drift_policy=drift_policy,
                max_dropped_fraction=max_dropped_fraction,
                code_fingerprint=step_fingerprint("emotion_pipeline.components.anomaly_gate"),
            )
        )
