"""How a network's accuracy moves between folders and people with the share of each in what it learns.

    python -m benchmarks.training.label_shares MODEL --data DIR --votes FILE.csv

MODEL is a folder of pushed versions, or a version. DIR holds `train` and `validation`, FILE.csv FER+'s votes. The
network stays as it is but for its last layer, which learns anew for each share (`train.folder_share`) on the
features of the train pictures: 8 epochs of Adam, batches of 256. Answers are over mirror images. Prints a table.
"""

import argparse
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np
import tensorflow as tf

from benchmarks.models import BATCH
from benchmarks.training.peers import AGREED, FOLDER, labelled_pictures, vote_shares
from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.modules.networks import build_network
from emotion_pipeline.modules.normalize import normalize
from emotion_pipeline.modules.precision import choose_policy
from emotion_pipeline.modules.pushed_models import ASSETS_EXTRA_DIR, KIND_FILE, find_model
from emotion_pipeline.modules.warm_start import read_weights

SHARES = (0.0, 0.4, 0.5, 0.55, 0.6, 0.7, 1.0)
EPOCHS = 8


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--votes", type=pathlib.Path, required=True)
    options = parser.parse_args()
    features = feature_function(find_model(options.model, "MODEL"))
    train_pixels, train_truths = labelled_pictures(options.data / "train", options.votes)
    one_hot = np.eye(len(LABELS), dtype=np.float32)[train_truths[FOLDER]]
    shares = vote_shares(options.data / "train", options.votes, one_hot)
    pixels, truths = labelled_pictures(options.data / "validation", options.votes)
    learned = features(train_pixels)
    asked = features(pixels), features(pixels[:, :, ::-1])
    mean, deviation = learned.mean(axis=0), learned.std(axis=0) + 1e-3
    print(f"| share of the folder's label | {' | '.join(truths)} |", "|---" * 3 + "|", sep="\n")
    for share in SHARES:
        head = learn_head((learned - mean) / deviation, share * one_hot + (1 - share) * shares)
        answers = sum(head.predict((one - mean) / deviation, verbose=0) for one in asked)
        predicted = answers.argmax(axis=1)
        cells = [
            f"{(predicted == truths[name])[truths[name] >= 0].mean():.3f}"
            for name in (FOLDER, AGREED)
        ]
        print(f"| {share} | {' | '.join(cells)} |", flush=True)
    return 0


def feature_function(model_dir: str):
    """Returns what gives the `[N, F]` float32 inputs of a network's last layer for `[N, 48, 48]` uint8 pixels."""
    kind = json.loads(pathlib.Path(model_dir, ASSETS_EXTRA_DIR, KIND_FILE).read_text())
    policy, _ = choose_policy("auto")
    network = build_network(kind["network"], num_classes=len(LABELS), dtype_policy=policy)
    read_weights(network, model_dir)
    until_last = tf.keras.Model(network.input, network.layers[-2].output)

    @tf.function(reduce_retracing=True)
    def one_batch(pixels):
        scaled = tf.cast(pixels[..., tf.newaxis], tf.float32) / 255.0
        return tf.cast(until_last(normalize(scaled, kind["normalize"]), training=False), tf.float32)

    def features(pixels: np.ndarray) -> np.ndarray:
        batches = range(0, len(pixels), BATCH)
        return np.concatenate([one_batch(pixels[i : i + BATCH]).numpy() for i in batches])

    return features


def learn_head(features: np.ndarray, targets: np.ndarray) -> tf.keras.Model:
    """Returns a softmax layer that has learned the targets."""
    tf.keras.utils.set_random_seed(1)
    layer = tf.keras.layers.Dense(
        len(LABELS), "softmax", kernel_regularizer=tf.keras.regularizers.l2(1e-4)
    )
    head = tf.keras.Sequential([tf.keras.Input(features.shape[1:]), layer])
    head.compile("adam", "categorical_crossentropy")
    head.fit(features, targets, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    return head


if __name__ == "__main__":
    sys.exit(main())
