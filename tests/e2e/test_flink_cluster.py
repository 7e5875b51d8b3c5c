"""ClassBalancer on a real Flink of two TaskManagers, held against the same in this process."""

import pathlib
from collections.abc import Iterator

import pytest
from tfx.types import standard_artifacts

from emotion_pipeline.components.class_balancer.executor import Executor
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.configs import BeamConfig
from emotion_pipeline.engines import cluster, network
from emotion_pipeline.engines.arguments import beam_args
from emotion_pipeline.engines.cluster import Cluster
from emotion_pipeline.engines.jars import engine_package, find_program, job_server_jars
from tests.components.example_artifacts import (
    beam_context,
    examples_of,
    read_records,
    write_examples,
)

pytestmark = pytest.mark.slow

COUNTS = {"happy": 60, "sad": 25, "fear": 7}


@pytest.fixture(scope="module")
def flink(tmp_path_factory) -> Iterator[Cluster]:
    """A Flink of two TaskManagers, or of one where no network namespace can be made."""
    try:
        find_program("java", "Flink")
        job_server_jars("flink")
        engine_package("flink")
    except UserError as error:
        pytest.skip(f"no Flink can be had here: {error}")
    folder = tmp_path_factory.mktemp("flink")
    yield cluster.up(folder, workers=2 if namespaces_can_be_made() else 1, slots=1)
    cluster.down(folder)


def namespaces_can_be_made() -> bool:
    """Root is not enough in a container."""
    try:
        network.create("emotest", 1)
    except UserError:
        return False
    network.remove("emotest", 1)
    return True


def balance(folder: pathlib.Path, examples: standard_artifacts.Examples, args: list[str]):
    balanced = standard_artifacts.Examples()
    balanced.uri = str(folder / "balanced")
    Executor(beam_context(folder, args)).Do(
        {"examples": [examples]},
        {"balanced_examples": [balanced]},
        {"method": "translate", "max_shift_px": 4, "seed": 1},
    )
    return balanced


def test_class_balancer_gives_the_same_on_flink_as_here(flink, tmp_path):
    examples = write_examples(
        tmp_path / "examples",
        {"train": examples_of(COUNTS), "eval": examples_of({"happy": 3})},
        shards=4,
    )
    engine = BeamConfig(
        runner="flink",
        flink_master=flink.master,
        job_endpoint=flink.job_endpoint,
        parallelism=flink.workers,
    )
    here = balance(tmp_path / "here", examples, beam_args(BeamConfig()))
    there = balance(tmp_path / "there", examples, beam_args(engine))
    for split, count in {"train": 180, "eval": 3}.items():
        records = read_records(there, split)
        assert len(records) == count
        assert records == read_records(here, split)
    assert there.get_string_custom_property("class_counts") == here.get_string_custom_property(
        "class_counts"
    )
    for number in range(1, flink.workers + 1):
        log = flink.log(f"pool-{number}").read_text()
        assert "Starting worker with command" in log, f"pool {number} did not work"
