"""Measures how the pipeline grows with the data: every component but the training.

    python -m benchmarks.scale FOLDER WORK --times 1 3 10

FOLDER holds images/train/<class>/ and images/validation/<class>/. WORK gets, for each number of
times, the data set repeated so often with changed pixels, and a run of the pipeline on it. Every
component runs in a process of its own, in which the finished ones before it are taken over from
the cache; Trainer exports the network as it was initialised. What is measured is kept in
WORK/results.json: a component that is in it is not run again, so that the command can be given
again, and `--only COMPONENT` does a single step.
"""

import argparse
import json
import os
import pathlib
import tempfile
import time

import psutil

from benchmarks.measured import MIB, measure

LAST = "Pusher"
"""A report has nothing to tell of a network that was not trained."""


def run_up_to(component: str, data: pathlib.Path, root: pathlib.Path) -> dict:
    """Runs the pipeline's components up to this one in this process.

    Returns:
      `seconds` of the component; `cpu_seconds`, also of its child processes, with what it takes to
      take over the components before it; `graph_seconds`, to look through the source and build the
      graph; `idle_mib`, the process's memory before the first component.
    """
    from benchmarks.data_path import export_untrained
    from components.run_records import latest_run
    from pipeline import local_runner
    from pipeline.configs import PipelineConfig, ThresholdConfig
    from pipeline.pipeline import PIPELINE_NAME, create_pipeline

    config = PipelineConfig(
        data=str(data), root=str(root), thresholds=ThresholdConfig(accuracy=0.0, macro_f1=0.0)
    )
    connection = local_runner.metadata_connection(root)
    start = time.monotonic()
    graph = create_pipeline(config, last=component, metadata_connection_config=connection)
    graph_seconds = time.monotonic() - start
    for node in graph.components:
        if node.id == "Trainer":
            node.exec_properties["run_fn"] = f"benchmarks.data_path.{export_untrained.__name__}"
    idle_mib = psutil.Process().memory_info().rss / MIB
    cpu_before = _cpu_secs()
    local_runner.ReportingDagRunner().run(graph)
    cpu_seconds = _cpu_secs() - cpu_before
    runs = {run.id: run for run in latest_run(connection, PIPELINE_NAME)}
    measured = runs.pop(component)
    again = [run.id for run in runs.values() if not run.cached and "resolver" not in run.id]
    if again or measured.cached or not measured.complete:
        raise RuntimeError(f"{component}: ran {again} beside it, cached: {measured.cached}")
    return {
        "seconds": round(measured.seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "graph_seconds": round(graph_seconds, 1),
        "idle_mib": round(idle_mib),
    }


def _cpu_secs() -> float:
    """Returns the CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def component_ids() -> list[str]:
    """Returns the ids of the components that are measured, in their order."""
    from pipeline.configs import PipelineConfig
    from pipeline.pipeline import create_pipeline

    with tempfile.TemporaryDirectory() as folder:
        graph = create_pipeline(PipelineConfig(root=folder), last=LAST)
    return [node.id for node in graph.components]


def report(results: dict[str, dict[str, dict]]) -> None:
    """Prints a table of seconds, CPU seconds and memory, and the ratios of the ends."""
    times = sorted(results, key=int)
    columns = [f"{t}x {what}" for t in times for what in ("s", "CPU s", "MiB")]
    print(" | ".join(["component", *columns, "times CPU s", "times MiB"]))
    for component in results[times[0]]:
        rows = [results[t][component] for t in times if component in results[t]]
        if len(rows) < len(times):
            continue
        cells = [str(row[key]) for row in rows for key in ("seconds", "cpu_seconds", "peak_mib")]
        cpu = rows[-1]["cpu_seconds"] / max(rows[0]["cpu_seconds"], 0.1)
        memory = rows[-1]["peak_mib"] / rows[0]["peak_mib"]
        print(" | ".join([component, *cells, f"{cpu:.1f}", f"{memory:.2f}"]))


def main() -> None:
    """Measures what is not measured yet, or runs one component in this process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 3, 10], choices=range(1, 11))
    parser.add_argument("--only", metavar="COMPONENT", help="this one alone, measured anew")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder, work = options.folder.resolve(), options.work.resolve()
    if options.run:
        print(json.dumps(run_up_to(options.run, folder, work)))
        return
    from benchmarks.ingest import repeat

    work.mkdir(parents=True, exist_ok=True)
    results_file = work / "results.json"
    results = json.loads(results_file.read_text()) if results_file.exists() else {}
    for times in options.times:
        data = work / f"times{times}"
        if not (work / f"times{times}.done").exists():
            repeat(folder, times, work)
            (work / f"times{times}.done").touch()
        root = work / f"run{times}"
        root.mkdir(exist_ok=True)
        done = results.setdefault(str(times), {})
        for component in [options.only] if options.only else component_ids():
            if component in done and not options.only:
                continue
            done[component] = measure("benchmarks.scale", str(data), str(root), "--run", component)
            print(f"{times}x {component}: {done[component]}", flush=True)
            results_file.write_text(json.dumps(results, indent=1))
    report(results)


if __name__ == "__main__":
    main()
