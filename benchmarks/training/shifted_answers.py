"""What a served model gains when it answers for shifted copies of a face too.

    python -m benchmarks.training.shifted_answers MODEL --root ROOT

MODEL is the root of a finished `emotion run`, whose Trainer's model is taken, or a model's name, `specified` or
`deep`. It answers for the eval pictures of ROOT, a run too, as they are and shifted by some pixels, the border
repeated; the probabilities are averaged.

Prints as JSON, for each set of shifts, both accuracies and their difference with its 95 % interval by bootstrap over
the pictures.
"""

import argparse
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np

from benchmarks.models import answerer, model_dir
from benchmarks.run_outcome import split_of
from benchmarks.training.compare_models import compare
from emotion_pipeline.components.constants import EVAL_SPLIT

SETS = {
    f"{name}, {pixels} px": [(pixels * x, pixels * y) for x, y in steps]
    for name, steps in {
        "4 shifts": [(1, 0), (-1, 0), (0, 1), (0, -1)],
        "8 shifts": [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y],
    }.items()
    for pixels in (1, 2, 3)
}
"""Shifts right and down, beside the picture as it is."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--root", required=True, type=pathlib.Path)
    options = parser.parse_args()
    split = split_of(options.root, EVAL_SPLIT)
    with model_dir(options.model) as folder:
        answer = answerer(folder)
        as_it_is = answer(split.pixels)
        shifted = {
            shift: answer(shift_by(split.pixels, *shift))
            for shift in sorted({shift for shifts in SETS.values() for shift in shifts})
        }
    found = {}
    for name, shifts in SETS.items():
        mean = np.mean([as_it_is, *(shifted[shift] for shift in shifts)], axis=0)
        is_right = {
            "as it is": as_it_is.argmax(axis=1) == split.labels,
            "with shifts": mean.argmax(axis=1) == split.labels,
        }
        found[name] = compare(is_right)
    print(json.dumps(found, indent=1))
    return 0


def shift_by(pixels: np.ndarray, right: int, down: int) -> np.ndarray:
    """Shifts `[N, H, W, 1]` pictures; what comes in is the border's value."""
    height, width = pixels.shape[1:3]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return pixels[:, rows][:, :, columns]


if __name__ == "__main__":
    sys.exit(main())
