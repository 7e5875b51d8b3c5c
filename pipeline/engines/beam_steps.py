"""A component's Beam job: where it runs is no part of the cache's key, and its failure is told in a line."""

import functools
import os
import re
from collections.abc import Mapping
from typing import Any

from google.protobuf import message
from tfx.orchestration.portable.beam_executor_operator import BeamExecutorOperator
from tfx.proto.orchestration import executable_spec_pb2

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.engines.secrets import resolve

# As Beam's PortableRunner ends, on every engine.
_JOB_FAILED = re.compile(r"Pipeline \S+ failed in state (?P<state>\w+): (?P<trace>.*)", re.DOTALL)


def without_beam_args(
    spec: message.Message | None,
) -> tuple[message.Message | None, Mapping[Any, Any]]:
    """Takes the arguments of Beam's pipelines out of what TFX's launcher makes the cache's key of.

    They name the runner and its addresses, which change from one start of a job server to the next,
    and never what a component makes.

    Args:
      spec: How a component is executed.

    Returns:
      The spec without them, and for `custom_executor_operators` what executes it with them.
    """
    if not isinstance(spec, executable_spec_pb2.BeamExecutableSpec):
        return spec, {}
    bare = executable_spec_pb2.BeamExecutableSpec()
    bare.CopyFrom(spec)
    bare.ClearField("beam_pipeline_args")
    bare.ClearField("beam_pipeline_args_placeholders")
    return bare, {type(spec): functools.partial(_operator_of, spec)}


def _operator_of(
    spec: executable_spec_pb2.BeamExecutableSpec,
    executor_spec: message.Message,
    platform_config: message.Message | None = None,
) -> BeamExecutorOperator:
    """Returns the operator of the whole spec, whatever the launcher's is, with Beam's secrets in it."""
    whole = executable_spec_pb2.BeamExecutableSpec()
    whole.CopyFrom(spec)
    whole.beam_pipeline_args[:] = resolve(spec.beam_pipeline_args, os.environ)
    return BeamExecutorOperator(whole, platform_config)


def job_failure(component_id: str, error: Exception) -> UserError | None:
    """Returns what to tell the user of an engine's job that failed; None for any other error."""
    found = _JOB_FAILED.match(str(error))
    if not found:
        return None
    lines = [line.strip() for line in found["trace"].splitlines()]
    reasons = [line for line in lines if line and not line.startswith(("at ", "... "))]
    reason = reasons[-1].rstrip(".") if reasons else "it gave no reason"
    return UserError(
        f"{component_id}: its Beam job ended as {found['state']}: {reason}. "
        "The log and the engine's own have the rest. Give the same command again: what is finished is "
        "not repeated."
    )
