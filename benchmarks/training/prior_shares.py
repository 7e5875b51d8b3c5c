"""How a model's accuracy moves between folders and people with its prior alone (`train.prior_correction`).

    python -m benchmarks.training.prior_shares MODEL --data DIR --votes FILE.csv

MODEL is a root of a run, a folder of pushed versions, or a model that comes with the project. DIR holds class folders
that it was not trained on, FILE.csv FER+'s votes. They are halved, copies and near copies on one side; the bias is
fitted on one half and the other is measured, and the other way round. Prints a table: the mean of both.
"""

import argparse
import os
import pathlib
import sys

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np

from benchmarks.models import answerer, model_dir
from benchmarks.training.peers import AGREED, FOLDER, labelled_pictures
from benchmarks.training.temperature import halves_of
from emotion_pipeline.components.calibration import LEAST_PROBABILITY
from emotion_pipeline.modules.prior import prior_bias

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--data", metavar="DIR", type=pathlib.Path, required=True)
    parser.add_argument("--votes", type=pathlib.Path, required=True)
    options = parser.parse_args()
    pixels, truths = labelled_pictures(options.data, options.votes)
    with model_dir(options.model) as folder:
        answers = answerer(folder)(pixels[..., np.newaxis])
    halves = halves_of(pixels, truths[FOLDER])
    print(f"| prior correction | {FOLDER} | {AGREED} |", "|---" * 3 + "|", sep="\n")
    for share in SHARES:
        found = [
            accuracies(answers, truths, fitting, measuring, share)
            for fitting, measuring in (halves, halves[::-1])
        ]
        print(f"| {share:g} |", " | ".join(f"{one:.3f}" for one in np.mean(found, axis=0)), "|")
    return 0


def accuracies(
    answers: np.ndarray,
    truths: dict[str, np.ndarray],
    fitting: np.ndarray,
    measuring: np.ndarray,
    share: float,
) -> tuple[float, float]:
    """Returns the accuracy of `[N, C]` answers against folders and people, on half of them."""
    bias = prior_bias(answers[fitting], truths[FOLDER][fitting], share)
    logits = np.log(np.maximum(answers[measuring], LEAST_PROBABILITY)) + bias
    predicted = logits.argmax(axis=1)
    return tuple(
        float((predicted == truth)[truth >= 0].mean())
        for truth in (truths[FOLDER][measuring], truths[AGREED][measuring])
    )


if __name__ == "__main__":
    sys.exit(main())
