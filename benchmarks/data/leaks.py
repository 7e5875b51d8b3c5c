"""What pictures that are in both splits do to the validation accuracy.

    python -m benchmarks.data.leaks --data SOURCE --work DIR [-- ARGUMENTS]

ARGUMENTS go to `emotion run`; without any it is recipe `best` for 10 epochs without dropout and augmentation,
which learns train by heart: that is the most that the leaks can do. It runs twice: under
`DIR/dropped` without the train pictures that are also in eval, as by default, and under `DIR/kept` with
`--keep-leaks`; a run that is finished is used again, and one that was cut off goes on. Both served models
then answer for the eval pictures that have a copy or a near copy in train and for the rest.

Prints accuracies as JSON, with the 95 % interval of each difference (kept less dropped) by bootstrap over
the pictures.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np

from benchmarks.run_outcome import latest_components
from benchmarks.training.compare_models import answers, compare

BY_HEART = {
    "dropout_steps": "[[0, 0]]",
    "flip": "false",
    "rotation_degrees": "0",
    "zoom": "0",
    "shift_px": "0",
}
DEFAULT_ARGUMENTS = ["--recipe", "best", "--epochs", "10"] + [
    argument for key, value in BY_HEART.items() for argument in ("--set", f"train.{key}={value}")
]
RUNS = {"dropped": [], "kept": ["--keep-leaks"]}
KINDS = ("cross_split_copies", "cross_split_near_copies")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="SOURCE, as `emotion run` takes it")
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENTS", default=DEFAULT_ARGUMENTS)
    options = parser.parse_args()
    command = [sys.executable, "-m", "emotion_pipeline.cli", "run", "--data", options.data]
    command += options.arguments
    for name, flags in RUNS.items():
        root = options.work / name
        if not (root / "summary.json").exists():
            subprocess.run([*command, *flags, "--root", str(root)], check=True)
    paths, is_leaked = eval_pictures(options.work / "dropped")
    is_right = {name: ~np.isin(paths, wrong_pictures(options.work / name)) for name in RUNS}
    found = {
        part: compare({name: right[chosen] for name, right in is_right.items()})
        for part, chosen in {
            "all": np.ones_like(is_leaked),
            "also in train": is_leaked,
            "the rest": ~is_leaked,
        }.items()
    }
    print(json.dumps(found, indent=1))
    return 0


def eval_pictures(root: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns the paths of a run's eval pictures, and of each whether train has it too."""
    from emotion_pipeline.components.constants import EVAL_SPLIT
    from emotion_pipeline.components.image_findings.findings import read_findings
    from emotion_pipeline.components.image_ingest.manifest import kept_rows, read_manifest
    from emotion_pipeline.components.records.run_records import output

    run = latest_components(root)
    table = kept_rows(read_manifest(output(run, "ImageAudit", "audited_manifest").uri).table)
    paths = table.loc[table["split"] == EVAL_SPLIT, "path"]
    in_both = {
        path
        for finding in read_findings(output(run, "ImageAudit", "findings").uri)
        if finding.kind in KINDS
        for group in finding.groups
        for path in group
    }
    return paths.to_numpy(str), paths.isin(in_both).to_numpy()


def wrong_pictures(root: pathlib.Path) -> list[str]:
    """Returns the paths of the eval pictures whose label the model of a run does not give."""
    found = answers(root, root)
    return found.paths[~found.correct].tolist()


if __name__ == "__main__":
    sys.exit(main())
