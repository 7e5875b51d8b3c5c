"""The Beam steps outside this process: pickled, sent, and run by workers with the wheel installed."""

import json
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from tfx.types import standard_artifacts

from emotion_pipeline.components.artifacts import ImageManifest
from emotion_pipeline.components.class_balancer.executor import Executor as ClassBalancerExecutor
from emotion_pipeline.components.image_example_gen.executor import (
    Executor as ImageExampleGenExecutor,
)
from emotion_pipeline.configs import BeamConfig
from emotion_pipeline.engines.job_server import free_port
from emotion_pipeline.engines.preflight import ready_engine
from tests.components.example_artifacts import beam_context, read_records
from tests.e2e.conftest import SHORT, install_wheels, run_pipeline

pytestmark = pytest.mark.slow

START_TIMEOUT_SECS = 60
SPLITS = ("train", "eval")


@pytest.fixture(scope="module")
def workers_python(tmp_path_factory) -> pathlib.Path:
    """The Python of an environment with the project's wheels, as on an engine's worker."""
    folder = tmp_path_factory.mktemp("workers")
    python = install_wheels(folder) / "python"
    where = subprocess.run(
        [
            python,
            "-c",
            "import emotion_pipeline, emotion_faces; print(emotion_pipeline.__file__, emotion_faces.__file__)",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    ).stdout.split()
    assert all(path.startswith(str(folder)) for path in where), where
    return python


@pytest.fixture(scope="module")
def engine(workers_python, tmp_path_factory) -> Iterator[tuple[list[str], pathlib.Path]]:
    """Beam's portable job service and a worker pool; the arguments of a run, and the pool's log."""
    folder = tmp_path_factory.mktemp("engine")
    pool_log, port_file = folder / "pool.log", folder / "port"
    with open(pool_log, "wb") as pool_file, open(folder / "service.log", "wb") as service_file:
        processes = [
            subprocess.Popen(
                [workers_python, "-m", "emotion_pipeline.engines.worker_pool", "--port", "0"],
                cwd=folder,
                stderr=pool_file,
            ),
            subprocess.Popen(
                [
                    *(
                        sys.executable,
                        "-m",
                        "apache_beam.runners.portability.local_job_service_main",
                    ),
                    *("--port_file", port_file, "--staging_dir", folder / "staging"),
                ],
                cwd=folder,
                stdout=service_file,
                stderr=service_file,
            ),
        ]
    try:
        deadline = time.monotonic() + START_TIMEOUT_SECS
        while True:
            pool = re.search(r"worker pool on (localhost:\d+)", pool_log.read_text())
            if pool and port_file.exists():
                break
            assert time.monotonic() < deadline, pool_log.read_text()
            time.sleep(0.1)
        endpoint = f"127.0.0.1:{port_file.read_text()}"
        yield ["--job-endpoint", endpoint, "--worker-pool", pool[1]], pool_log
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def test_every_beam_step_runs_on_external_workers_and_gives_what_it_gives_here(
    engine, drawn, tmp_path
):
    arguments, pool_log = engine
    outcome = run_pipeline(tmp_path, drawn, *SHORT, "--runner", "portable", *arguments)
    assert outcome.status == 0, outcome.output
    assert outcome.summary["blessed"] is True
    # One worker at least for each step that is a Beam pipeline.
    steps = {"ImageExampleGen", "StatisticsGen", "ClassBalancer", "Transform", "Evaluator"}
    assert steps <= {component["id"] for component in outcome.summary["components"]}
    assert pool_log.read_text().count("Starting worker") >= len(steps)

    def artifact(artifact_type, component: str, key: str):
        (version,) = (tmp_path / "artifacts" / component / key).iterdir()
        found = artifact_type()
        found.uri = str(version)
        return found

    manifest = artifact(ImageManifest, "ImageIngest", "manifest")
    examples, balanced = standard_artifacts.Examples(), standard_artifacts.Examples()
    examples.uri, balanced.uri = str(tmp_path / "examples"), str(tmp_path / "balanced")
    here = beam_context(tmp_path / "here")
    ImageExampleGenExecutor(here).Do({"manifest": [manifest]}, {"examples": [examples]}, {})
    ClassBalancerExecutor(here).Do(
        {"examples": [examples]},
        {"balanced_examples": [balanced]},
        {"method": "translate", "max_shift_px": 4, "seed": 1},
    )
    there = artifact(standard_artifacts.Examples, "ClassBalancer", "balanced_examples")
    for split in SPLITS:
        records = read_records(there, split)
        assert records == read_records(balanced, split)
        assert len(records) >= outcome.summary["images"][split]["kept"]
    assert outcome.summary["class_counts"] == json.loads(
        balanced.get_string_custom_property("class_counts")
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"worker_pool": "localhost:{free}"}, "no answer from a worker pool at localhost:"),
        ({}, "cannot read {unshared}: the data must be on storage that every worker sees"),
    ],
)
def test_what_the_workers_lack_is_said_within_a_minute(engine, tmp_path, changes, message):
    job_endpoint, worker_pool = engine[0][1], engine[0][3]
    settings = {"worker_pool": worker_pool, **changes}
    settings = {key: value.format(free=free_port()) for key, value in settings.items()}
    config = BeamConfig(runner="portable", job_endpoint=job_endpoint, **settings)
    unshared = str(tmp_path / "not-there")
    start = time.monotonic()
    with (
        pytest.raises(Exception, match=message.format(unshared=unshared)),
        ready_engine(config, str(tmp_path / "artifacts"), (unshared,), tmp_path),
    ):
        pass
    assert time.monotonic() - start < 60
    assert list((tmp_path / "artifacts").iterdir()) == []
