"""What each ingredient of recipe `best` gives: one change at a time, equal epochs, several seeds.

    python -m benchmarks.training.ablation --root ROOT --out FILE [--epochs 30] [--images 5000] [--seeds 1 2]

ROOT is that of a finished `emotion run --recipe best`; its Examples and its transform graph are used.
Every training learns from the same IMAGES pictures for a seed and is measured on the whole eval split,
with the weights of its best epoch there. A line of JSON goes to FILE for each training that ended, and
what is there is not trained again, so it can be done in pieces. A line holds the settings that it was trained
with, and these, not its name, say whether it is one of today's recipe; those are printed in Markdown, and the
others (the oldest hold no settings) are kept.

What regularises shows only where each picture is seen often, as in the recipe's own 60 epochs: hence few
pictures and many epochs. They are 2,370 steps; after many fewer, averages with a decay of 0.999 would still
hold much of the initial weights (a share of 0.09 then, 0.37 after 1,000).
"""

import argparse
import dataclasses
import json
import logging
import pathlib
import statistics
import tempfile

import numpy as np

from benchmarks.run_outcome import split_of
from emotion_pipeline.components.constants import EVAL_SPLIT, TRAIN_SPLIT
from emotion_pipeline.components.progress import LOGGER_NAME
from emotion_pipeline.recipes import RECIPES
from emotion_pipeline.settings import with_overrides
from emotion_pipeline.train_config import TrainConfig

AS_DRAWN = {"rotation_degrees": 0.0, "zoom": 0.0, "shift_px": 0.0}
CHANGES: dict[str, dict] = {
    "as it is": {},
    "no augmentation": {**AS_DRAWN, "flip": False},
    "mirroring alone": AS_DRAWN,
    "less augmentation": {"rotation_degrees": 8.0, "zoom": 0.08, "shift_px": 3.0},
    "dropout 0.5 from the start": {"dropout_steps": [[0, 0.5]]},
    "dropout early": {
        "dropout_steps": [[0, 0.0], [0.03, 0.1], [0.08, 0.2], [0.3, 0.3], [0.7, 0.4], [0.93, 0.5]]
    },
    "more augmentation": {
        "rotation_degrees": 15.0,
        "zoom": 0.18,
        "shift_px": 5.0,
        "brightness": 0.1,
    },
    "mixup 0.3": {"mixup": 0.3},
    "learning rate 2e-4": {"learning_rate": 2e-4},
    "learning rate 5e-4": {"learning_rate": 5e-4},
    "learning rate 2e-3": {"learning_rate": 2e-3},
    "constant learning rate": {"schedule": "constant", "warmup_epochs": 0.0},
    "weight decay 0.01": {"weight_decay": 0.01},
    "weight decay 0.5": {"weight_decay": 0.5},
    "no averaged weights": {"averaging_decay": 0.0},
    "no label smoothing": {"label_smoothing": 0.0},
    "pictures weighed alike": {"class_weight_power": 0.0},
    "classes weighed alike": {"class_weight_power": 1.0},
    "batches of 128": {"batch_size": 128},
    "float32": {"precision": "float32"},
}
MEASURES = ("accuracy", "mirrored_accuracy", "macro_f1", "disgust_recall", "train_accuracy")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=list(CHANGES))
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger(LOGGER_NAME).setLevel(logging.INFO)
    size = {"epochs": options.epochs, "images": options.images}
    rows = [row for row in _read(options.out) if size.items() <= row.items()]
    missing = [
        (change, seed)
        for seed in options.seeds
        for change in options.changes
        if not any(row["seed"] == seed for row in rows_of(change, rows))
    ]
    if missing:
        train_split = split_of(options.root, TRAIN_SPLIT).originals()
        eval_split = split_of(options.root, EVAL_SPLIT)
        for change, seed in missing:
            print(f"{change}, seed {seed}", flush=True)
            train = settings(change)
            measures = train_and_measure(train_split, eval_split, train, seed, **size)
            row = {"change": change, "seed": seed, **size, "train": train, **measures}
            rows.append(row)
            with open(options.out, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    print(table(rows))


def settings(change: str) -> dict:
    """Returns the settings of `train` of a change to today's recipe, but for the number of epochs."""
    train = {**RECIPES["best"]["train"], **CHANGES[change]}
    del train["epochs"]
    return train


def rows_of(change: str, rows: list[dict]) -> list[dict]:
    """Returns the rows that were trained as a change to today's recipe says, whatever their name."""
    wanted = _config(settings(change))
    return [row for row in rows if "train" in row and _config(row["train"]) == wanted]


def _config(train: dict) -> TrainConfig:
    return with_overrides(TrainConfig(), train)


def train_and_measure(
    train_split, eval_split, train_settings: dict, seed: int, epochs: int, images: int
) -> dict:
    """Trains with some settings and returns the measures on the eval split."""
    import tensorflow as tf

    from emotion_pipeline.components.constants import LABELS
    from emotion_pipeline.components.scores import per_class
    from emotion_pipeline.modules.networks import build_network
    from emotion_pipeline.modules.precision import choose_policy
    from emotion_pipeline.modules.trainer_module import count_confusion, measure, predict
    from emotion_pipeline.modules.training import train

    config = _config({**train_settings, "epochs": epochs})
    chosen = np.sort(np.random.default_rng(seed).permutation(len(train_split))[:images])
    part = train_split.select(chosen)
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(seed)
    model = build_network(
        config.network,
        num_classes=len(LABELS),
        batch_norm_momentum=config.batch_norm_momentum,
        seed=seed,
        dtype_policy=choose_policy(config.precision)[0],
    )
    with tempfile.TemporaryDirectory() as scratch:
        state = train(
            model, part, eval_split, config, seed, f"{scratch}/points", "one", f"{scratch}/logs"
        )
    once = dataclasses.replace(config, flip_at_serving=False)
    twice = dataclasses.replace(config, flip_at_serving=True)
    plain, mirrored = (predict(model, eval_split.pixels, one) for one in (once, twice))
    confusion = count_confusion(eval_split.labels, mirrored)
    of_class = per_class(confusion.tolist(), list(LABELS))
    return {
        "accuracy": float((plain.argmax(axis=1) == eval_split.labels).mean()),
        "mirrored_accuracy": float(np.trace(confusion) / confusion.sum()),
        "macro_f1": statistics.mean(one["f1"] for one in of_class.values()),
        "disgust_recall": of_class["disgust"]["recall"],
        "train_accuracy": measure(model, part, once)["accuracy"],
        "best_epoch": state.best_epoch + 1,
    }


def table(rows: list[dict]) -> str:
    """Returns mean and range over the seeds of each measure, a line for each change."""
    lines = [
        "| change | seeds | " + " | ".join(MEASURES) + " |",
        "|---" * (2 + len(MEASURES)) + "|",
    ]
    for change in CHANGES:
        found = rows_of(change, rows)
        if not found:
            continue
        cells = []
        for name in MEASURES:
            values = [row[name] for row in found]
            spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.3f}{spread}")
        seeds = ", ".join(str(row["seed"]) for row in found)
        lines.append(f"| {change} | {seeds} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _read(path: pathlib.Path) -> list[dict]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
