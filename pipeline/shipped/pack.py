"""Packs a trained model: `python -m emotion_pipeline.shipped.pack ROOT --version N --out weights.npz`."""

import argparse
import json
import pathlib

import tensorflow as tf

from emotion_faces.local_server import newest_version
from emotion_pipeline.shipped.export import fresh_network, weights_by_name
from emotion_pipeline.shipped.weights import Facts, pack

_NETWORK = "_network"


def read_weights(version_dir: pathlib.Path, num_classes: int):
    """Returns the arrays of a pushed SavedModel's network by the names of `weights_by_name`."""
    network = fresh_network(num_classes)
    checkpoint = tf.train.Checkpoint(**{_NETWORK: network})
    status = checkpoint.read(str(version_dir / "variables" / "variables"))
    status.assert_existing_objects_matched().expect_partial()
    return {name: variable.numpy() for name, variable in weights_by_name(network).items()}


def main() -> None:
    """Reads a run's pushed model and summary, and writes the weights file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=pathlib.Path, help="root of the run that pushed the model")
    parser.add_argument("--version", type=int, required=True, help="number to serve it under")
    parser.add_argument("--flip", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--provenance", default="{}", help="JSON for the card")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    version_dir = newest_version(options.root / "pushed" / "emotion")
    labels = (version_dir / "assets.extra" / "labels.txt").read_text(encoding="utf-8").split()
    metrics = json.loads((options.root / "summary.json").read_text(encoding="utf-8"))["metrics"]
    facts = Facts(
        version=options.version,
        labels=labels,
        flip=options.flip,
        metrics=metrics,
        provenance=json.loads(options.provenance),
    )
    options.out.write_bytes(pack(read_weights(version_dir, len(labels)), facts))
    print(f"{options.out}: {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
