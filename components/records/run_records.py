"""What ML Metadata knows about a pipeline run."""

import dataclasses

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata

_RUN_CONTEXT_TYPE = "pipeline_run"
_NODE_CONTEXT_TYPE = "node"


@dataclasses.dataclass(frozen=True)
class ComponentRun:
    """One component's execution in a run.

    Attributes:
      id: The node's id without the pipeline's name.
      seconds: From the execution's registration to its end.
      cached: Whether the outputs were taken over from an earlier run.
      complete: Whether it ended well.
      outputs: The output artifacts by key.
    """

    id: str
    seconds: float
    cached: bool
    complete: bool
    outputs: dict[str, list[mlmd.Artifact]]


def latest_run(connection: mlmd.ConnectionConfig, pipeline_name: str) -> list[ComponentRun]:
    """Returns the components of the latest run, in the order they ran; empty before the first."""
    with metadata.Metadata(connection) as handle:
        store = handle.store
        runs = store.get_contexts_by_type(_RUN_CONTEXT_TYPE)
        if not runs:
            return []
        run = max(runs, key=lambda context: context.id)
        executions = sorted(store.get_executions_by_context(run.id), key=lambda one: one.id)
        return [_component(store, execution, pipeline_name) for execution in executions]


def output(components: list[ComponentRun], component_id: str, key: str) -> mlmd.Artifact | None:
    """Returns an output artifact of a run's component; None where there is none."""
    for component in components:
        if component.id == component_id and component.complete and component.outputs.get(key):
            return component.outputs[key][0]
    return None


def _component(store, execution: mlmd.Execution, pipeline_name: str) -> ComponentRun:
    (node,) = [
        context.name
        for context in store.get_contexts_by_execution(execution.id)
        if context.type == _NODE_CONTEXT_TYPE
    ]
    events = [
        event
        for event in store.get_events_by_execution_ids([execution.id])
        if event.type == mlmd.Event.OUTPUT
    ]
    artifacts = {
        artifact.id: artifact
        for artifact in store.get_artifacts_by_id([event.artifact_id for event in events])
    }
    outputs: dict[str, list[mlmd.Artifact]] = {}
    for event in events:
        outputs.setdefault(event.path.steps[0].key, []).append(artifacts[event.artifact_id])
    state = execution.last_known_state
    milliseconds = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    return ComponentRun(
        id=node.removeprefix(f"{pipeline_name}."),
        seconds=milliseconds / 1000.0,
        cached=state == mlmd.Execution.CACHED,
        complete=state in (mlmd.Execution.CACHED, mlmd.Execution.COMPLETE),
        outputs=outputs,
    )
