"""The ImageAudit component: an ImageManifest in; an audited ImageManifest and ImageFindings out."""

import json
from collections.abc import Mapping

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, component_spec

from emotion_pipeline.components import artifacts
from emotion_pipeline.components.fingerprint import step_fingerprint
from emotion_pipeline.components.image_findings import executor
from emotion_pipeline.components.image_findings.kinds import check_policies


class ImageAuditSpec(component_spec.ComponentSpec):
    """What ImageAudit reads and writes; see `ImageAudit`."""

    PARAMETERS = {
        "policies": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {"manifest": component_spec.ChannelParameter(type=artifacts.ImageManifest)}
    OUTPUTS = {
        "audited_manifest": component_spec.ChannelParameter(type=artifacts.ImageManifest),
        "findings": component_spec.ChannelParameter(type=artifacts.ImageFindings),
    }


class ImageAudit(base_component.BaseComponent):
    """Finds copies, leaks between splits, conflicting labels and empty pictures, and acts on them.

    A policy for each kind says whether it is reported, dropped from train, or stops the run. The
    stop itself is left to `AnomalyGate`, since TFX deletes the outputs of a component that fails,
    and the findings are what the user then wants to read.
    Component `outputs` contains `audited_manifest`, in which dropped files are pruned with their
    reason, and `findings`.
    """

    SPEC_CLASS = ImageAuditSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        manifest: types.BaseChannel,
        *,
        policies: Mapping[str, str] | None = None,
    ):
        """Constructs the component.

        Args:
          manifest: A channel of ImageManifest.
          policies: Kind of finding -> 'report', 'drop' or 'fail', over
            `kinds.Kind.default`.

        Raises:
          ValueError: An unknown kind or policy.
        """
        super().__init__(
            ImageAuditSpec(
                manifest=manifest,
                policies=json.dumps(check_policies(policies or {}), sort_keys=True),
                code_fingerprint=step_fingerprint("emotion_pipeline.components.image_findings"),
                audited_manifest=channel.Channel(type=artifacts.ImageManifest),
                findings=channel.Channel(type=artifacts.ImageFindings),
            )
        )
