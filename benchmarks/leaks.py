"""What pictures that are in both splits do to the validation accuracy.

    python -m benchmarks.leaks --data FOLDER --work DIR [-- ARGUMENTS]

ARGUMENTS go to `emotion run`; without any they are `--recipe best --epochs 10`. It runs twice: under
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

DEFAULT_ARGUMENTS = ["--recipe", "best", "--epochs", "10"]
RUNS = {"dropped": [], "kept": ["--keep-leaks"]}
KINDS = ("cross_split_copies", "cross_split_near_copies")
BATCH = 256
RESAMPLES = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENTS", default=DEFAULT_ARGUMENTS)
    options = parser.parse_args()
    command = [sys.executable, "-m", "pipeline.cli", "run", "--data", str(options.data)]
    command += options.arguments
    for name, flags in RUNS.items():
        root = options.work / name
        if not (root / "summary.json").exists():
            subprocess.run([*command, *flags, "--root", str(root)], check=True)
    paths, labels, is_leaked = eval_pictures(options.work / "dropped")
    pixels = read_pixels(options.data, paths)
    is_right = {name: answers(options.work / name, pixels) == labels for name in RUNS}
    found = {
        part: compare(is_right["dropped"][chosen], is_right["kept"][chosen])
        for part, chosen in {
            "all": np.ones_like(is_leaked),
            "also in train": is_leaked,
            "the rest": ~is_leaked,
        }.items()
    }
    print(json.dumps(found, indent=1))
    return 0


def eval_pictures(root: pathlib.Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Returns of a run's eval pictures the paths, the label indices and whether train has them too."""
    from components.constants import EVAL_SPLIT, LABELS
    from components.image_findings.findings import read_findings
    from components.image_ingest.manifest import kept_rows, read_manifest
    from components.run_records import latest_run, output
    from pipeline.local_runner import metadata_connection
    from pipeline.pipeline import PIPELINE_NAME

    run = latest_run(metadata_connection(root), PIPELINE_NAME)
    table = kept_rows(read_manifest(output(run, "ImageAudit", "audited_manifest").uri).table)
    table = table[table["split"] == EVAL_SPLIT]
    in_both = {
        path
        for finding in read_findings(output(run, "ImageAudit", "findings").uri)
        if finding.kind in KINDS
        for group in finding.groups
        for path in group
    }
    labels = table["label"].map(LABELS.index).to_numpy()
    return table["path"].to_list(), labels, table["path"].isin(in_both).to_numpy()


def read_pixels(folder: pathlib.Path, paths: list[str]) -> np.ndarray:
    """Returns `[N, 48, 48, 1]` float32 in [0, 1]."""
    import cv2

    pictures = [cv2.imread(str(folder / path), cv2.IMREAD_GRAYSCALE) for path in paths]
    return np.stack(pictures)[..., None] / np.float32(255)


def answers(root: pathlib.Path, pixels: np.ndarray) -> np.ndarray:
    """Returns the class indices that the model which a run pushed gives."""
    import tensorflow as tf

    summary = json.loads((root / "summary.json").read_text())
    model_dir = pathlib.Path(summary["push_dir"]) / str(summary["pushed_version"])
    signature = tf.saved_model.load(str(model_dir)).signatures["pixels"]
    parts = [
        signature(pixels=tf.constant(pixels[first : first + BATCH]))["probabilities"].numpy()
        for first in range(0, len(pixels), BATCH)
    ]
    return np.concatenate(parts).argmax(axis=1)


def compare(dropped: np.ndarray, kept: np.ndarray) -> dict:
    """Returns the accuracies of two models on the same pictures, and the interval of the difference."""
    difference = kept.astype(float) - dropped
    draws = np.random.default_rng(1).integers(len(difference), size=(RESAMPLES, len(difference)))
    low, high = np.percentile(difference[draws].mean(axis=1), [2.5, 97.5])
    return {
        "pictures": len(difference),
        "dropped": round(float(dropped.mean()), 4),
        "kept": round(float(kept.mean()), 4),
        "kept less dropped": round(float(difference.mean()), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
    }


if __name__ == "__main__":
    sys.exit(main())
