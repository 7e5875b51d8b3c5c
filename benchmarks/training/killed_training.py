"""A training killed in its third epoch, several times in a row, held against an undisturbed one.

    python -m benchmarks.training.killed_training --data SOURCE --work DIR [--kills 3] [-- ARGUMENTS]

ARGUMENTS go to `emotion run`; without any they are `--recipe best --epochs 4`. The same command runs
under `DIR/undisturbed` to its end, and under `DIR/killed`, where SIGKILL ends it in the midst of the third
epoch each time. The run that follows must go on by itself and make the same: each epoch's loss and
accuracies, the training's outcome and all of the Evaluator's metrics, to the last digit. Prints both as
JSON; exit status 1 where they differ.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

from benchmarks.training.training_history import latest_training

DEFAULT_ARGUMENTS = ["--recipe", "best", "--epochs", "4"]
LINE = "epoch 3/"
SPEED_KEYS = ("images_per_sec", "seconds")
# Thresholds bind the gate and not the training; a few epochs must not be stopped by them.
COMMON = ["--set", "thresholds.accuracy=0", "--set", "thresholds.macro_f1=0"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="SOURCE, as `emotion run` takes it")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="empty folder")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENTS", default=DEFAULT_ARGUMENTS)
    options = parser.parse_args()
    command = [sys.executable, "-m", "emotion_pipeline.cli", "run", "--data", options.data]
    command += [*COMMON, *options.arguments, "--root"]
    undisturbed, killed = (options.work.resolve() / name for name in ("undisturbed", "killed"))
    for root in (undisturbed, killed):
        if root.exists():
            parser.error(f"{root}: is there already; give an empty folder as --work")
    subprocess.run([*command, str(undisturbed)], check=True)
    for number in range(options.kills):
        kill_in_third_epoch([*command, str(killed)])
        print(f"killed {number + 1} of {options.kills} times", flush=True)
    subprocess.run([*command, str(killed)], check=True)
    made = {root.name: outcome(root) for root in (undisturbed, killed)}
    resumed_at = made["killed"].pop("resumed_at"), made["undisturbed"].pop("resumed_at")
    is_same = made["undisturbed"] == made["killed"]
    print(json.dumps({**made, "resumed_at": resumed_at[0], "same": is_same}, indent=1))
    # A killed attempt leaves no trace in the checkpoint, so the last resumption alone is told.
    return 0 if is_same and resumed_at == ([2], []) else 1


def kill_in_third_epoch(command: list[str]) -> None:
    """Runs the command and kills it when it reports from within the third epoch."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if LINE in line and ", step " in line:
                process.send_signal(signal.SIGKILL)
                break
    if process.returncode != -signal.SIGKILL:
        sys.exit(f"the run ended with status {process.returncode} before its third epoch")


def outcome(root: pathlib.Path) -> dict:
    """Returns `history` without speeds, `best_epoch`, `resumed_at` and `metrics` of the latest run."""
    training = latest_training(root)
    summary = json.loads((root / "summary.json").read_text())
    return {
        "history": [
            {key: value for key, value in row.items() if key not in SPEED_KEYS}
            for row in training["history"]
        ],
        "best_epoch": training["best_epoch"],
        "resumed_at": training["resumed_at"],
        "metrics": summary["metrics"],
    }


if __name__ == "__main__":
    sys.exit(main())
