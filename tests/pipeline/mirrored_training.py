"""Trains on two logical CPUs: `python -m tests.pipeline.mirrored_training DIR STOP_AFTER_EPOCHS`.

A program of its own, since the devices can't be divided once TensorFlow has begun. Prints the
replicas, the history and the sum of the weights as JSON; with STOP_AFTER_EPOCHS above 0 it ends
abruptly after that epoch.
"""

import json
import os
import sys

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf

from emotion_pipeline.modules import training
from emotion_pipeline.modules.distribution import choose_strategy
from emotion_pipeline.modules.model import build_model
from emotion_pipeline.modules.signatures import ServedModel, save
from emotion_pipeline.modules.training_data import Split
from emotion_pipeline.train_config import TrainConfig

CONFIG = TrainConfig(
    epochs=3,
    batch_size=16,
    learning_rate=3e-4,
    batch_norm_momentum=0.5,
    averaging_decay=0.5,
    flip=True,
    dropout_steps=((0, 0.0), (0.5, 0.1)),
    distribution="mirrored",
)


def make_split(count, seed):
    """Three classes that differ in brightness."""
    labels = np.arange(count) % 3
    noise = np.random.default_rng(seed).integers(0, 60, (count, 48, 48, 1))
    pixels = (noise + 90 * labels[:, None, None, None]).astype(np.uint8)
    return Split(pixels, labels.astype(np.int64), np.zeros(count, bool))


def main(folder, stop_after):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(1)
    strategy = choose_strategy(CONFIG.distribution)
    with strategy.scope():
        model = build_model(3, batch_norm_momentum=CONFIG.batch_norm_momentum, seed=1)
    if stop_after:
        training._report_epoch = lambda state, _: len(state.history) == stop_after and os._exit(9)
    state = training.train(
        model,
        make_split(48, seed=1),
        make_split(24, seed=2),
        CONFIG,
        seed=1,
        checkpoints_dir=f"{folder}/checkpoints",
        key="key",
        log_dir=f"{folder}/logs",
    )
    save(ServedModel(model, ["a", "b", "c"]), f"{folder}/model")
    keys = ("loss", "accuracy", "val_loss", "val_accuracy")
    print(
        json.dumps(
            {
                "replicas": strategy.num_replicas_in_sync,
                "history": [{key: row[key] for key in keys} for row in state.history],
                "resumed_at": state.resumed_at,
                "weights": float(sum(np.abs(v.numpy()).sum() for v in model.trainable_variables)),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
