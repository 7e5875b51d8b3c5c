"""Keeps a training's history and metrics as a small file, and draws all that are kept.

    python -m benchmarks.training.training_history ROOT --name RECIPE-EPOCHS-seedN
    python -m benchmarks.training.training_history

The first form writes `docs/results/NAME.json` from the latest run under ROOT, the second draws all of them
to `docs/results/curves.png`.
"""

import argparse
import json
import os
import pathlib

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

from benchmarks.run_outcome import latest_components

RECORDS = pathlib.Path(__file__).parents[2] / "docs" / "results"
PICTURE = RECORDS / "curves.png"
COLUMNS = 3
DIGITS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", nargs="?", type=pathlib.Path)
    parser.add_argument("--name")
    options = parser.parse_args()
    if options.root is None:
        draw(PICTURE)
        return
    if not options.name:
        parser.error("--name: is missing; such as original-40-seed1")
    path = RECORDS / f"{options.name}.json"
    path.write_text(json.dumps(record(options.root), indent=1) + "\n", encoding="utf-8")
    print(path)


def record(root: pathlib.Path) -> dict:
    """Returns how the latest run's training ended, the Evaluator's `metrics`, and the `history`."""
    training = latest_training(root)
    summary = json.loads((root / "summary.json").read_text())
    outcome = ("epochs", "precision", "best_epoch", "resumed_at", "train", "eval")
    return {
        **{key: training[key] for key in outcome},
        "metrics": summary["metrics"],
        "history": [
            {key: round(value, DIGITS) for key, value in row.items()} for row in training["history"]
        ],
    }


def latest_training(root: pathlib.Path) -> dict:
    """Returns what the Trainer of the latest run under a root told."""
    from emotion_pipeline.components.records.run_records import output
    from emotion_pipeline.components.records.training_record import read_training

    return read_training(output(latest_components(root), "Trainer", "model_run").uri)


def draw(path: pathlib.Path) -> None:
    """Draws accuracy on train, with dropout, and on validation by epoch, a panel for each record."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    records = {
        one.stem: json.loads(one.read_text(encoding="utf-8"))
        for one in sorted(RECORDS.glob("*-seed*.json"))
    }
    rows = -(-len(records) // COLUMNS)
    figure, grid = pyplot.subplots(
        rows, COLUMNS, figsize=(4 * COLUMNS, 3.4 * rows), sharey=True, squeeze=False
    )
    panels = grid.ravel()
    for panel in panels[len(records) :]:
        panel.set_axis_off()
    for panel, (name, kept) in zip(panels, records.items(), strict=False):
        epochs = range(1, len(kept["history"]) + 1)
        for key, label in (("accuracy", "train, with dropout"), ("val_accuracy", "validation")):
            panel.plot(epochs, [row[key] for row in kept["history"]], label=label)
        panel.set(title=name, xlabel="epoch", xlim=(1, len(epochs)), ylim=(0, 1))
        panel.grid(alpha=0.3)
    for panel in grid[:, 0]:
        panel.set_ylabel("accuracy")
    panels[0].legend(loc="upper left")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
