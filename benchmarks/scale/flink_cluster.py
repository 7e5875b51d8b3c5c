"""The whole pipeline on a real Flink, held against the run in this process.

    python -m benchmarks.scale.flink_cluster --data SOURCE --work DIR [--phases same,kill,times]
    python -m benchmarks.scale.flink_cluster --data SOURCE --work DIR --phases same --engine spark

Brings up a Flink of two TaskManagers as processes of their own, each with its worker pool in its own
network namespace (root needed), with Beam's job server, and ends it again.

same   runs the pipeline in this process and on Flink with the same settings: counts, balanced Examples
       record by record and verdict must be the same, and both pools must have worked.
kill   kills a TaskManager while ClassBalancer is at work: the run must end with the same
       nevertheless, by itself or when it is started again.
times  runs each Beam step once more on the artifacts of the run in this process: here, on one
       TaskManager and on two. Balanced Examples and blessing must be the same each time.

With --untrained the runs leave the training out, which is no Beam step, and Evaluator's accuracy must
be the same too.

Prints what was measured as JSON; exit status 1 where something differs. The runs in `DIR/local` and
`DIR/same-flink` of an earlier call are used again.
"""

import argparse
import contextlib
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

from emotion_pipeline.commands.terminal import FAILED_STATUS
from emotion_pipeline.configs import BeamConfig
from emotion_pipeline.engines import cluster
from emotion_pipeline.engines.arguments import beam_args
from emotion_pipeline.engines.cluster import Cluster

# The plumbing is under test and not the network: one epoch, and thresholds that any model reaches.
SHORT = [
    *("--recipe", "fast", "--epochs", "1"),
    *("--set", "thresholds.accuracy=0", "--set", "thresholds.macro_f1=0"),
    # On a busy machine workers take their time to start.
    *("--set", "beam.check_secs=300"),
]
BALANCER = "ClassBalancer"
SPLITS = ("train", "eval")


class DifferenceError(Exception):
    """Two runs that must be the same are not."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="SOURCE, as `emotion run` takes it")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="folder for everything")
    parser.add_argument("--phases", default="same,kill,times")
    parser.add_argument("--slots", type=int, default=1, help="of each TaskManager")
    parser.add_argument("--untrained", action="store_true", help="leave the training out")
    parser.add_argument("--engine", choices=["flink", "spark"], default="flink")
    options = parser.parse_args()
    phases = {
        "same": functools.partial(same, engine=options.engine),
        "kill": kill,
        "times": times,
    }
    program = "benchmarks.scale.untrained" if options.untrained else "emotion_pipeline.cli"
    command = [sys.executable, "-m", program, "run", "--data", options.data, *SHORT]
    if options.engine != "flink" and options.phases != "same":
        parser.error(f"--engine {options.engine}: has the phase `same` alone")
    work = options.work.resolve()
    # Whoever ends this program ends its cluster too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED_STATUS))
    found: dict = {}
    try:
        for phase in options.phases.split(","):
            found[phase] = phases[phase](command, work, options.slots)
    except DifferenceError as error:
        print(f"differs: {error}", file=sys.stderr)
        return FAILED_STATUS
    finally:
        print(json.dumps(found, indent=1))
    return 0


def same(command: list[str], work: pathlib.Path, slots: int, engine: str) -> dict:
    """Runs here and on the engine, and compares."""
    local = run_here(command, work)
    root = work / f"same-{engine}"
    with running_cluster(work / "cluster", workers=2, slots=slots, engine=engine) as running:
        there = run_pipeline(command, root, *running.run_arguments)
        workers = count_workers(running)
    compare_summaries(local, there)
    records = compare_records(work / "local", root)
    if min(workers.values()) < 1:
        raise DifferenceError(f"a pool has not worked: {workers}")
    return {
        "status": there["status"],
        "equal_records": records,
        "workers_started_by_pool": workers,
        "accuracy": [local["metrics"]["accuracy"], there["metrics"]["accuracy"]],
        "seconds": {"here": seconds(local), engine: seconds(there)},
    }


def kill(command: list[str], work: pathlib.Path, slots: int) -> dict:
    """Kills a TaskManager during ClassBalancer; the run must end as if nothing had happened."""
    local = run_here(command, work)
    root = work / f"killed-{int(time.time())}"
    # The other TaskManager must have room for the whole job.
    with running_cluster(work / "cluster", workers=2, slots=2 * slots) as flink:
        arguments = [*flink.run_arguments, "--set", f"beam.parallelism={2 * slots}"]
        process = subprocess.Popen(
            [*command, "--root", str(root), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        workers_before: dict[str, int] = {}
        for line in process.stdout:
            print(line, end="", flush=True)
            if f"] {BALANCER}" in line:
                workers_before = count_workers(flink)
                # When its pool has started a worker for this step, the TaskManager has work.
                while count_workers(flink)["pool-2"] == workers_before["pool-2"]:
                    if process.poll() is not None:
                        raise DifferenceError("the run ended before it came to the second pool")
                    time.sleep(0.2)
                time.sleep(2)
                flink.service("taskmanager-2").kill()
        status = process.wait()
        if not workers_before or flink.service("taskmanager-2").is_running():
            raise DifferenceError("the TaskManager was not killed")
        tries = count_in(flink.log("jobmanager"), "switched from state RESTARTING to RUNNING")
    if status:
        # An outcome too, if it is told: the same command must then go on.
        with running_cluster(work / "cluster", workers=2, slots=slots) as flink:
            run_pipeline(command, root, *flink.run_arguments)
    there = json.loads((root / "summary.json").read_text())
    compare_summaries(local, there)
    return {
        "went_on_by_itself": status == 0,
        "jobs_tried_again": tries,
        "workers_started_by_pool_before": workers_before,
        "equal_records": compare_records(work / "local", root),
        "status": there["status"],
        "seconds": seconds(there),
    }


def times(
    command: list[str], work: pathlib.Path, slots: int, workers: tuple[int, ...] = (1, 2)
) -> dict:
    """Times each Beam step here, on one TaskManager and on two."""
    run_here(command, work)
    found: dict = {}
    for number in workers:
        with running_cluster(work / "cluster", workers=number, slots=slots) as flink:
            config = BeamConfig(
                runner="flink",
                flink_master=flink.master,
                job_endpoint=flink.job_endpoint,
                parallelism=number * slots,
            )
            found[f"{number} TaskManagers"] = repeat_steps(work / "local", config)
            found[f"{number} TaskManagers: workers"] = count_workers(flink)
    found["here"] = repeat_steps(work / "local", BeamConfig())
    return found


def repeat_steps(root: pathlib.Path, config: BeamConfig) -> dict[str, float]:
    """Runs each Beam component's executor on what a finished run gave it; seconds by id."""
    from tfx.dsl.components.base import base_beam_executor, executor_spec
    from tfx.orchestration import metadata
    from tfx.orchestration.portable.mlmd import execution_lib

    from emotion_pipeline.configs import PipelineConfig
    from emotion_pipeline.local_runner import metadata_connection
    from emotion_pipeline.pipeline import create_pipeline

    graph = create_pipeline(PipelineConfig(root=str(root)))
    found: dict[str, float] = {}
    with metadata.Metadata(metadata_connection(root)) as handle:
        for component in graph.components:
            spec = component.executor_spec
            if not isinstance(spec, executor_spec.BeamExecutorSpec):
                continue
            executions = handle.store.get_executions_by_type(component.type)
            execution = max(executions, key=lambda one: one.id)
            inputs = execution_lib.get_input_artifacts(handle, execution.id)
            outputs = execution_lib.get_output_artifacts(handle, execution.id)
            expected = execution_lib.get_output_artifacts(handle, execution.id)
            properties = {
                key: getattr(value, value.WhichOneof("value"))
                for key, value in execution.custom_properties.items()
            }
            with tempfile.TemporaryDirectory(dir=root) as scratch:
                for key, (artifact,) in outputs.items():
                    artifact.uri = os.path.join(scratch, key)
                context = base_beam_executor.BaseBeamExecutor.Context(
                    beam_pipeline_args=beam_args(config),
                    tmp_dir=os.path.join(scratch, "tmp"),
                    unique_id="1",
                )
                start = time.monotonic()
                spec.executor_class(context).Do(inputs, outputs, properties)
                found[component.id] = round(time.monotonic() - start, 1)
                print(component.id, found[component.id], file=sys.stderr, flush=True)
                check_outputs(component.id, expected, outputs)
    return found


def check_outputs(component_id: str, expected: dict, found: dict) -> None:
    """Raises unless the outputs that must not depend on the runner are the same."""
    if component_id == BALANCER:
        (one,), (other,) = expected["balanced_examples"], found["balanced_examples"]
        compare_splits(pathlib.Path(one.uri), pathlib.Path(other.uri))
    elif component_id == "Evaluator":
        (one,), (other,) = expected["blessing"], found["blessing"]
        verdicts = [artifact.get_int_custom_property("blessed") for artifact in (one, other)]
        if verdicts[0] != verdicts[1]:
            raise DifferenceError(f"blessed: {verdicts}")


def run_here(command: list[str], work: pathlib.Path) -> dict:
    """Returns the summary of the run in this process, from an earlier call if there was one."""
    summary = work / "local" / "summary.json"
    if summary.exists():
        return json.loads(summary.read_text())
    return run_pipeline(command, work / "local")


def run_pipeline(command: list[str], root: pathlib.Path, *arguments: str) -> dict:
    """Runs `emotion run` and returns its summary."""
    done = subprocess.run([*command, "--root", str(root), *arguments], check=False)
    summary = json.loads((root / "summary.json").read_text())
    if done.returncode:
        raise DifferenceError(f"the run in {root} ended with {done.returncode}: {summary['error']}")
    return summary


@contextlib.contextmanager
def running_cluster(
    folder: pathlib.Path, workers: int, slots: int, engine: str = "flink"
) -> Iterator[Cluster]:
    """Brings a cluster up, in a fresh folder of its own, and ends it."""
    folder = folder / f"{workers}x{slots}-{int(time.time())}"
    try:
        yield cluster.up(folder, workers=workers, slots=slots, engine=engine)
    finally:
        with contextlib.suppress(Exception):
            cluster.down(folder)


def count_workers(running: Cluster) -> dict[str, int]:
    """Returns how many Python workers each pool has started."""
    return {
        service.name: count_in(running.log(service.name), "Starting worker with command")
        for service in running.services
        if service.name.startswith("pool-")
    }


def count_in(log: pathlib.Path, text: str) -> int:
    return log.read_text(errors="replace").count(text)


def seconds(summary: dict) -> dict[str, float]:
    return {one["id"]: round(one["seconds"], 1) for one in summary["components"]}


def compare_summaries(here: dict, there: dict) -> None:
    """Raises unless counts and verdict are the same, and of an untrained model every answer."""
    for key in ("status", "blessed", "images", "class_counts"):
        if here[key] != there[key]:
            raise DifferenceError(f"{key}: {here[key]} here, {there[key]} there")
    answers = [run["metrics"]["confusion_matrix"] for run in (here, there)]
    if here["training"]["epochs"] == 0 and answers[0] != answers[1]:
        raise DifferenceError(f"confusion matrix: {answers[0]} here, {answers[1]} there")


def compare_records(here: pathlib.Path, there: pathlib.Path) -> dict[str, int]:
    """Returns the number of balanced Examples per split, which are the same bytes in both runs."""
    newest = [
        max(versions.iterdir(), key=lambda folder: int(folder.name))
        for versions in (
            root / "artifacts" / BALANCER / "balanced_examples" for root in (here, there)
        )
    ]
    return compare_splits(*newest)


def compare_splits(here: pathlib.Path, there: pathlib.Path) -> dict[str, int]:
    """Returns the number of Examples per split of two artifacts, which are the same bytes."""
    counts = {}
    for split in SPLITS:
        one, other = (read_split(folder / f"Split-{split}") for folder in (here, there))
        if one != other:
            raise DifferenceError(f"{split}: {len(one)} balanced Examples here, {len(other)} there")
        counts[split] = len(one)
    return counts


def read_split(folder: pathlib.Path) -> list[bytes]:
    """Returns the Examples of a split, sorted."""
    import tensorflow as tf

    files = [str(path) for path in folder.iterdir()]
    return sorted(tf.data.TFRecordDataset(files).as_numpy_iterator())


if __name__ == "__main__":
    sys.exit(main())
