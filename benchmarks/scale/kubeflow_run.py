"""Runs the compiled pipeline task by task, as open-source Kubeflow Pipelines does, and compares.

    python -m benchmarks.scale.kubeflow_run --data FOLDER --work FOLDER            # tasks are processes
    python -m benchmarks.scale.kubeflow_run --data FOLDER --work FOLDER --docker docker --image IMAGE

It compiles the package with `emotion kubeflow compile`, runs every task of it with the stand-in for
Kubeflow's driver and launcher (tests/kubeflow/kfp_stand_in.py), and then runs `emotion run` with the
same settings on this machine. It prints the seconds of each task, and the counts, the metrics and the
verdict of both, and ends with status 1 where counts or verdict differ. With --docker each task is a
container of the image, with a read-only root file system, without network, and with no code mounted.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import shlex
import shutil
import subprocess
import sys
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]

from emotion_pipeline.components.image_ingest.manifest import counts_by_split, read_manifest  # noqa: E402
from emotion_pipeline.configs import PipelineConfig  # noqa: E402
from tests.kubeflow.kfp_stand_in import Run  # noqa: E402
from tests.kubeflow.pods import Containers, Processes, Starter  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="made anew")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threshold", type=float, default=0.0, help="of accuracy and macro F1")
    parser.add_argument("--docker", help="the client's command, such as `docker -H ADDRESS`")
    parser.add_argument("--image", default="emotion-pipeline:0.1.0")
    parser.add_argument("--workers", type=int, default=2, help="tasks at the same time")
    parser.add_argument("--no-local", action="store_true", help="leave out the comparison")
    args = parser.parse_args()
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    compiled = run_compiled(args)
    if args.no_local:
        return 0
    local = run_local(args)
    print(json.dumps({"compiled": compiled, "local": local}, indent=1))
    same = {key: compiled[key] == local[key] for key in compiled}
    print("the same in both:", ", ".join(f"{key}: {value}" for key, value in same.items()))
    return 0 if all(same[key] for key in ("images", "class_counts", "blessed", "pushed")) else 1


def settings(args: argparse.Namespace) -> list[str]:
    return [
        *("--epochs", str(args.epochs), "--batch-size", str(args.batch_size), "--seed", "5"),
        *("--set", f"thresholds.accuracy={args.threshold}"),
        *("--set", f"thresholds.macro_f1={args.threshold}"),
    ]


def run_compiled(args: argparse.Namespace) -> dict[str, Any]:
    package = args.work / "pipeline.yaml"
    volumes = {"emotion-data": args.work / "data", "emotion-models": args.work / "models"}
    for folder in volumes.values():
        folder.mkdir()
        folder.chmod(0o777)
    starter: Starter
    if args.docker:
        # A volume holds the pictures, and the pipeline's own folder beside them.
        shutil.copytree(args.data, volumes["emotion-data"] / "pictures")
        starter = Containers(tuple(shlex.split(args.docker)), volumes)
        places = ["--data", "/mnt/data/pictures", "--image", args.image]
    else:
        starter = Processes()
        places = [
            *("--data", str(args.data.resolve()), "--root", str(args.work.resolve() / "data")),
            *("--push-dir", str(args.work.resolve() / "models" / "emotion")),
            *("--data-claim", "", "--models-claim", ""),
        ]
    emotion("kubeflow", "compile", "--out", str(package), *places, *settings(args))
    run = Run(package, args.work / "run", starter)
    start = time.monotonic()
    try:
        run.run(workers=args.workers)
    finally:
        for task in run.tasks.values():
            print(f"{task.name:20} {task.seconds:7.1f} s")
        print(f"{'all, in parallel':20} {time.monotonic() - start:7.1f} s")
    from emotion_pipeline.outcome.evaluation_result import evaluation_metrics

    balanced = run.tasks["ClassBalancer"].outputs["balanced_examples"]["metadata"]
    blessing = run.tasks["Evaluator"].outputs["blessing"]["metadata"]
    versions = [one.name for one in (args.work / "models" / "emotion").glob("*")]
    print(f"pushed: {versions}")
    # The manifest that the Examples were made from, whichever component wrote it last.
    (manifest,) = run.tasks["ImageExampleGen"].inputs["inputs"]["artifacts"]["manifest"][
        "artifacts"
    ]
    return {
        "images": counts_by_split(read_manifest(str(run.stored(manifest["uri"]))).table),
        "class_counts": json.loads(balanced["class_counts"]),
        "blessed": bool(blessing["blessed"]),
        "pushed": bool(versions),
        "metrics": overall(
            evaluation_metrics(
                str(run.folder("Evaluator", "evaluation")), list(PipelineConfig().labels)
            )
        ),
    }


def run_local(args: argparse.Namespace) -> dict[str, Any]:
    root = args.work / "local"
    start = time.monotonic()
    emotion("run", "--data", str(args.data.resolve()), "--root", str(root), *settings(args))
    print(f"{'emotion run':20} {time.monotonic() - start:7.1f} s")
    summary = json.loads((root / "summary.json").read_text())
    return {
        "images": summary["images"],
        "class_counts": summary["class_counts"],
        "blessed": summary["blessed"],
        "pushed": summary["pushed_version"] is not None,
        "metrics": overall(summary["metrics"]),
    }


def overall(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: metrics[name] for name in ("accuracy", "loss", "macro_f1")}


def emotion(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emotion_pipeline.cli", *arguments], cwd=ROOT, check=False
    )
    # 3: the model was not blessed, which is an outcome.
    if done.returncode not in (0, 3):
        sys.exit(f"emotion {' '.join(arguments)} ended with status {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
