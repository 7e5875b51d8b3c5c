"""Whether one model is better than another, or only luckier in its pictures.

    python -m benchmarks.training.compare_models FIRST SECOND --root ROOT

FIRST and SECOND are each the root of a finished `emotion run`, whose Trainer's model is taken, a folder of pushed
versions, or the name of a model that comes with the project, `specified` or `deep`.
Both answer for the eval pictures of ROOT, a run too.

Prints as JSON: both accuracies, their difference with its 95 % interval by bootstrap over the pictures, the share
of the pictures that both give the same class, and the accuracy of the mean of their answers.
"""

import argparse
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np

from benchmarks.models import model_dir
from benchmarks.run_outcome import latest_components

RESAMPLES = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("first", metavar="FIRST")
    parser.add_argument("second", metavar="SECOND")
    parser.add_argument("--root", required=True, type=pathlib.Path)
    options = parser.parse_args()
    first, second = (answers(options.root, name) for name in (options.first, options.second))
    if first.class_names != second.class_names:
        parser.error(f"SECOND: has classes {second.class_names}, FIRST has {first.class_names}")
    both = (first.probabilities + second.probabilities) / 2
    found = {
        **compare({"first": first.correct, "second": second.correct}),
        "same answer": round(float((first.predicted == second.predicted).mean()), 4),
        "mean of the answers": round(float((both.argmax(axis=1) == first.labels).mean()), 4),
    }
    print(json.dumps(found, indent=1))
    return 0


def answers(root: pathlib.Path, name: str | pathlib.Path):
    """Returns the Predictions of a model on the eval pictures of a run.

    Args:
      root: Of the run that has the pictures.
      name: Of the model, as `benchmarks.models.model_dir` takes it.
    """
    from emotion_pipeline.components.constants import EVAL_SPLIT
    from emotion_pipeline.components.predictions import predict
    from emotion_pipeline.components.records.run_records import output

    examples = output(latest_components(root), "ClassBalancer", "balanced_examples").uri
    with model_dir(name) as folder:
        return predict(folder, f"{examples}/Split-{EVAL_SPLIT}/*")


def compare(is_right: dict[str, np.ndarray]) -> dict:
    """Returns the accuracies of two models on the same pictures, and the interval of the difference.

    Args:
      is_right: By the name of each of the two: `[N]` bool, whether its answer is the label.
    """
    (first_name, first), (second_name, second) = is_right.items()
    total = len(first)
    difference = second.astype(int) - first
    # How often -1, 0 and 1 are drawn, as components/run_report/intervals.py draws its counts.
    shares = np.bincount(difference + 1, minlength=3) / total
    draws = np.random.default_rng(1).multinomial(total, shares, size=RESAMPLES)
    low, high = np.percentile((draws[:, 2] - draws[:, 0]) / total, [2.5, 97.5])
    return {
        "pictures": total,
        first_name: round(float(first.mean()), 4),
        second_name: round(float(second.mean()), 4),
        f"{second_name} less {first_name}": round(float(difference.mean()), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
    }


if __name__ == "__main__":
    sys.exit(main())
