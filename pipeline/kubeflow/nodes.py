"""Which steps of a run failed, and in which pods, read from what Kubeflow's API tells of it.

The API's task details are the nodes of Argo's workflow: a step `S` is a node `S-driver` and a node `S`, below that
`executor`, and below that each try, `executor(0)`. A node has an error or an id of its own in no version that was
seen, but names its children by their ids: the workflow's name and a hash of the child's path. So whose child one is
can be found by trying the steps' paths.
"""

import dataclasses
import itertools
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

_FAILED_STATES = ("FAILED", "SYSTEM_ERROR")
_TRIES = 10
"""The most tries of an executor that are looked for; of what is above it, three."""

_TEMPLATE = "system-container-impl"
"""The template of every executor, after which its pods are called (Kubeflow Pipelines' compiler)."""


@dataclasses.dataclass(frozen=True)
class FailedStep:
    """A step that failed.

    Attributes:
      name: As the package has it.
      pod: The pod of its last try; empty where that cannot be told.
      message: What the server says about it; mostly empty.
    """

    name: str
    pod: str = ""
    message: str = ""


def failed_steps(details: Collection[Any], steps: Iterable[str] = ()) -> list[FailedStep]:
    """Returns the steps that failed, in the package's order, then the server's.

    Args:
      details: V2beta1PipelineTaskDetail messages of a run.
      steps: The package's steps, where they are known; others are found in the details.
    """
    ids = {child.pod_name for one in details for child in one.child_tasks or ()}
    ids = {node for node in ids | {one.pod_name for one in details} if node}
    workflows = {node.rpartition("-")[0] for node in ids}
    no_steps = {"", "root", "executor", *workflows}
    names = list(dict.fromkeys((*steps, *(_step(one) for one in details))))
    names = [name for name in names if name not in no_steps]
    step_of: dict[str, str] = {}
    pods: dict[str, str] = {}
    for workflow, name in itertools.product(workflows, names):
        for node, pod in _executors(workflow, name):
            if node in ids:
                step_of[node] = name
                pods[name] = pod  # the last try's in the end
    succeeded = {_step(one) for one in details if one.state == "SUCCEEDED" and _is_step(one)}
    found: dict[str, FailedStep] = {}
    for one in details:
        if one.state not in _FAILED_STATES:
            continue
        near = [child.pod_name for child in one.child_tasks or ()] + [one.pod_name]
        name = _step(one)
        if name == "executor":
            name = next((step_of[node] for node in near if node in step_of), "")
        if name in names and name not in succeeded:
            message = (one.error and one.error.message) or (name in found and found[name].message)
            # A driver that failed has started no pod of the step.
            found[name] = FailedStep(name, pods.get(name, ""), message or "")
    return [found[name] for name in names if name in found]


def _step(detail: Any) -> str:
    """Returns the name of the step that a node with a step's name belongs to, else of the node."""
    return re.sub(r"\(\d+\)$", "", detail.display_name or "").removesuffix("-driver")


def _is_step(detail: Any) -> bool:
    return _step(detail) == detail.display_name


def _executors(workflow: str, step: str) -> Iterator[tuple[str, str]]:
    """Yields the id and the pod that each try of a step's executor would have, the first before the last.

    A path has a number at each level that may be tried again. The hash is FNV-1a of 32 bits (Argo Workflows'
    `Workflow.NodeID` and, for the names of pods since 3.4, `GeneratePodName`).
    """
    above = ("", *(f"({n})" for n in range(3)))
    tries = ("", *(f"({n})" for n in range(_TRIES)))
    for whole, root, middle, last in itertools.product(above, above, above, tries):
        path = f"{workflow}{whole}.root{root}.{step}{middle}.executor{last}"
        value = fnv1a(path.encode())
        yield f"{workflow}-{value}", f"{workflow}-{_TEMPLATE}-{value}"


def fnv1a(data: bytes) -> int:
    """Returns the 32-bit FNV-1a hash, with the constants of its authors (Fowler, Noll and Vo)."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 % 2**32
    return value
