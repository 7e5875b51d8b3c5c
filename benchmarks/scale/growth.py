"""Measures how the pipeline grows with the data: every component, and Trainer without training.

    python -m benchmarks.scale.growth FOLDER WORK --times 1 3 10

FOLDER holds images/train/<class>/ and images/validation/<class>/. WORK gets, for each number of
times, the data set repeated so often with changed pixels, and a run of the pipeline on it, in a
process of its own. What is measured is kept in WORK/results.json: a number of times that is in it is
not run again, so that the command can be given again.
"""

import argparse
import json
import pathlib
import shutil

from benchmarks.data.ingest import repeat
from benchmarks.scale.measured import measure
from benchmarks.scale.untrained import run_measured

_WHOLE = "whole process"


def run(data: pathlib.Path, root: pathlib.Path) -> dict:
    """Runs the pipeline in this process; returns what each component took, by id."""
    from emotion_pipeline.configs import PipelineConfig, ThresholdConfig

    config = PipelineConfig(
        data=str(data), root=str(root), thresholds=ThresholdConfig(accuracy=0.0, macro_f1=0.0)
    )
    return {"components": run_measured(config)}


def report(results: dict[str, dict]) -> None:
    """Prints a table of seconds, CPU seconds and memory, and the ratios of the ends."""
    times = sorted(results, key=int)
    columns = [f"{t}x {what}" for t in times for what in ("s", "CPU s", "MiB")]
    print(" | ".join(["component", *columns, "times s", "times CPU s", "times MiB"]))
    for component in results[times[0]]["components"]:
        rows = [results[t]["components"][component] for t in times]
        _print_row(component, rows)
    whole = {"seconds": "process_seconds", "cpu_seconds": "process_cpu_seconds"}
    rows = [
        {"peak_mib": results[t]["peak_mib"], **{key: results[t][whole[key]] for key in whole}}
        for t in times
    ]
    _print_row(_WHOLE, rows)
    print("other programs took", *(f"{t}x: {results[t]['others']:.0%}" for t in times))


def _print_row(name: str, rows: list[dict]) -> None:
    keys = ("seconds", "cpu_seconds", "peak_mib")
    cells = [f"{row[key]:.{int(key != 'peak_mib')}f}" for row in rows for key in keys]
    ratios = [f"{rows[-1][key] / max(rows[0][key], 0.1):.2f}" for key in keys]
    print(" | ".join([name, *cells, *ratios]))


def main() -> None:
    """Measures what is not measured yet, or runs the pipeline once in this process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 3, 10], choices=range(1, 11))
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder, work = options.folder.resolve(), options.work.resolve()
    if options.run:
        print(json.dumps(run(folder, work)))
        return
    work.mkdir(parents=True, exist_ok=True)
    results_file = work / "results.json"
    results = json.loads(results_file.read_text()) if results_file.exists() else {}
    for times in options.times:
        data, root = work / f"times{times}", work / f"run{times}"
        if not data.with_suffix(".done").exists():
            repeat(folder, times, work)
            data.with_suffix(".done").touch()
        if str(times) not in results:
            shutil.rmtree(root, ignore_errors=True)  # of a run that was cut off
            root.mkdir()
            results[str(times)] = measure("benchmarks.scale.growth", str(data), str(root), "--run")
            results_file.write_text(json.dumps(results, indent=1))
    report(results)


if __name__ == "__main__":
    main()
