"""Measures how many images a second the trainer learns from, beside other ways of training the same layers.

    python -m benchmarks.training.train_speed [--images 2560] [--rounds 3] [--torch-python ENV/bin/python]

Ways, each in a process of its own, in turn, in every round:

- trainer: the pipeline's own loop and input pipeline, recipe `original`, in bfloat16;
- trainer, augmented: the same with the augmentation of recipe `best`;
- bare: tf_keras `fit` of Keras's own layers and Adam on float32 arrays in memory, in bfloat16; the
  input costs nothing;
- bare, float32: the same in float32;
- notebook: Keras 3 `fit` on float32 arrays in memory, in float32, as the published notebook does it;
- torch: PyTorch with bfloat16 autocast and channels_last, where `--torch-python` names an environment
  that has it (`pip install torch numpy`).

A round's figure is of one epoch after one that is not counted. Printed are the fastest round, since
other programs only slow a round down, its ratio to that of `bare`, the slowest round, and the peak
resident memory of the process.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np

BATCH_SIZE = 128
WAYS = ("trainer", "trainer, augmented", "bare", "bare, float32", "notebook", "torch")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=2560)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torch-python", help="an interpreter that has torch")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.way, options.images)))
        return
    ways = [way for way in WAYS if way != "torch" or options.torch_python]
    rows: dict[str, list[dict]] = {way: [] for way in ways}
    for number in range(options.rounds):
        for way in ways:
            python = options.torch_python if way == "torch" else sys.executable
            rows[way].append(_run(python, way, options.images))
            print(f"round {number + 1}, {way}: {rows[way][-1]}", file=sys.stderr, flush=True)
    speeds = {way: [row["images_per_sec"] for row in rows[way]] for way in ways}
    print(f"{'way':20} {'images/s':>9} {'of bare':>8} {'slowest':>8} {'peak MiB':>9}")
    for way in ways:
        fastest, slowest = max(speeds[way]), min(speeds[way])
        peak = max(row["peak_mib"] for row in rows[way])
        print(
            f"{way:20} {fastest:9.0f} {fastest / max(speeds['bare']):8.2f} {slowest:8.0f} {peak:9.0f}"
        )
    if "torch" not in ways:
        print("torch was left out: no --torch-python")


def _run(python: str, way: str, images: int) -> dict:
    environment = {
        **os.environ,
        "TF_USE_LEGACY_KERAS": "0" if way == "notebook" else "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "KERAS_BACKEND": "tensorflow",
    }
    done = subprocess.run(
        [python, "-m", "benchmarks.training.train_speed", "--way", way, "--images", str(images)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{way} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(way: str, images: int) -> dict:
    """Trains one uncounted epoch and a counted one in this process."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (images, 48, 48, 1), np.uint8)
    labels = draw.integers(0, 7, images)
    if way == "torch":
        epoch = _torch_epoch(pixels, labels)
    elif way.startswith("trainer"):
        epoch = _trainer_epoch(pixels, labels, augmented=way != "trainer")
    else:
        epoch = _fit_epoch(pixels, labels, way)
    epoch(0)
    start = time.monotonic()
    epoch(1)
    seconds = time.monotonic() - start
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"images_per_sec": images / seconds, "peak_mib": peak_kib / 1024}


def _trainer_epoch(pixels, labels, augmented: bool):
    import tensorflow as tf

    from emotion_pipeline.configs import PipelineConfig
    from emotion_pipeline.modules.model import build_model
    from emotion_pipeline.modules.training import make_optimizer
    from emotion_pipeline.modules.training_data import EpochBatches, Split
    from emotion_pipeline.recipes import RECIPES
    from emotion_pipeline.settings import with_overrides

    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(1)
    best = with_overrides(PipelineConfig(), RECIPES["best"]).train
    ranges = ("flip", "rotation_degrees", "zoom", "shift_px", "brightness")
    config = with_overrides(
        PipelineConfig().train,
        {name: getattr(best, name) for name in ranges} if augmented else {},
    )
    batches = EpochBatches(Split(pixels, labels, np.zeros(len(labels), bool)), 7, config, seed=1)
    model = build_model(dtype_policy="mixed_bfloat16")
    optimizer = make_optimizer(config, batches.steps)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return lambda number: model.fit(batches.epoch(number), verbose=0)


def _fit_epoch(pixels, labels, way: str):
    import tensorflow as tf

    tf.keras.utils.set_random_seed(1)
    if way == "bare":
        tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = _plain_model(tf)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    x, y = pixels.astype(np.float32) / np.float32(255), np.eye(7, dtype=np.float32)[labels]
    return lambda number: model.fit(x, y, batch_size=BATCH_SIZE, verbose=0)


def _plain_model(tf):
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.Input((48, 48, 1)),
            *_keras_block(layers),
            *_keras_block(layers),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(7, activation="softmax", dtype="float32"),
        ]
    )


def _keras_block(layers) -> list:
    return [
        layers.Conv2D(128, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(2),
        layers.Dropout(0.5),
    ]


def _torch_epoch(pixels, labels):
    import torch
    from torch import nn

    def block(channels: int) -> list[nn.Module]:
        return [
            nn.Conv2d(channels, 128, 3),
            nn.ReLU(),
            nn.BatchNorm2d(128),
            nn.MaxPool2d(2),
            nn.Dropout(0.5),
        ]

    torch.manual_seed(1)
    model = nn.Sequential(
        *block(1),
        *block(128),
        nn.Flatten(),
        nn.Linear(12800, 512),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(512, 256),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(256, 7),
    ).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters())
    loss_function = nn.CrossEntropyLoss()
    x = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(labels)

    def epoch(number: int) -> None:
        order = torch.randperm(len(y))
        for first in range(0, len(y), BATCH_SIZE):
            chosen = order[first : first + BATCH_SIZE]
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = loss_function(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()

    return epoch


if __name__ == "__main__":
    main()
