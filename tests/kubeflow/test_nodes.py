"""Which steps failed, from the nodes of Argo's workflow."""

import types

import pytest

from emotion_pipeline.kubeflow.nodes import FailedStep, failed_steps, fnv1a
from tests.kubeflow.fake_api import argo_nodes, pod_of


def details(*nodes):
    """The messages as the kfp client makes them, None for what is absent."""
    empty = dict.fromkeys(("display_name", "state", "pod_name", "error", "child_tasks"))
    return [
        types.SimpleNamespace(**{
            **empty,
            **node,
            "child_tasks": [
                types.SimpleNamespace(pod_name=child["pod_name"])
                for child in node.get("child_tasks", [])
            ],
        })
        for node in nodes
    ]  # fmt: skip


def test_the_hash_is_the_one_in_the_names_of_real_pods():
    """outer-pipeline-sq9vj-system-container-driver-3067012875 ran in a cluster (kubeflow/pipelines#10039)."""
    assert fnv1a(b"outer-pipeline-sq9vj.root.outer-comp-driver") == 3067012875


def test_the_step_and_its_pod():
    nodes = details(*argo_nodes("run-1", ["ImageIngest"], "AnomalyGate"))
    expected = [FailedStep("AnomalyGate", pod_of("AnomalyGate"))]
    assert failed_steps(nodes) == expected
    assert failed_steps(nodes, ["ImageIngest", "AnomalyGate", "Trainer"]) == expected


def test_executors_alone_tell_it_where_the_package_names_the_steps():
    """By the ids of their children, where no node has a step's name."""
    nodes = details(*argo_nodes("run-1", ["ImageIngest"], "AnomalyGate"))
    executors = [one for one in nodes if "executor" in one.display_name]
    assert failed_steps(executors, ["AnomalyGate", "ImageIngest"]) == [
        FailedStep("AnomalyGate", pod_of("AnomalyGate"))
    ]


def test_the_last_of_several_tries():
    nodes = argo_nodes("run-1", ["ImageIngest"], "Trainer")
    (retried,) = (
        one for one in nodes if one["display_name"] == "executor" and one["state"] == "FAILED"
    )
    last = pod_of("Trainer", "executor(2)")
    number = last.rpartition("-")[2]
    retried["child_tasks"].append({"pod_name": f"emotion-j5nvq-{number}"})
    assert failed_steps(details(*nodes)) == [FailedStep("Trainer", last)]


def test_a_driver_that_failed_has_no_pod_of_the_step():
    nodes = [{"display_name": "Trainer-driver", "state": "FAILED"}, {"display_name": "root"}]
    assert failed_steps(details(*nodes)) == [FailedStep("Trainer")]


def test_a_message_is_taken_where_there_is_one():
    error = types.SimpleNamespace(message="exit status 1")
    nodes = [{"display_name": "Trainer", "state": "FAILED", "error": error}]
    assert failed_steps(details(*nodes)) == [FailedStep("Trainer", "", "exit status 1")]


@pytest.mark.parametrize("nodes", [[], [{"display_name": "root", "state": "FAILED"}], [{}]])
def test_nothing_is_made_up(nodes):
    assert failed_steps(details(*nodes), ["Trainer"]) == []
