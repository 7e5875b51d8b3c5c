"""Makes the SavedModel of the shipped weights: `python -m emotion_pipeline.shipped.export DIR`."""

import json
import os
import pathlib
import sys
import tempfile

import numpy as np
import tensorflow as tf

from emotion_pipeline.modules.export import write_extras
from emotion_pipeline.modules.model import build_model
from emotion_pipeline.modules.precision import choose_policy
from emotion_pipeline.modules.signatures import ServedModel, save
from emotion_pipeline.shipped.location import WEIGHTS_FILE
from emotion_pipeline.shipped.weights import unpack


def fresh_network(num_classes: int, dtype_policy: str = "float32") -> tf.keras.Model:
    """Builds the specified network with its layers named from 1, whatever was built before."""
    tf.keras.backend.clear_session()
    return build_model(num_classes, dtype_policy=dtype_policy)


def weights_by_name(network: tf.keras.Model) -> dict[str, tf.Variable]:
    """Returns the variables of a `fresh_network` by layer and role, `dense/kernel` for one."""
    return {
        f"{layer.name}/{variable.name.split('/')[-1].split(':')[0]}": variable
        for layer in network.layers
        for variable in layer.weights
    }


def load_network(path: str | os.PathLike = WEIGHTS_FILE) -> tf.keras.Model:
    """Returns the specified network with the weights of a file, in the precision that is fast here.

    Raises:
      ValueError: The file's arrays are not those of the network.
    """
    weights, facts = unpack(path)
    policy, _ = choose_policy("auto")
    network = fresh_network(len(facts.labels), policy)
    variables = weights_by_name(network)
    if variables.keys() != weights.keys():
        raise ValueError(f"{path}: holds {sorted(weights)}, the network has {sorted(variables)}")
    for name, variable in variables.items():
        variable.assign(weights[name])
    return network


def export_model(base_dir: pathlib.Path, path: pathlib.Path = WEIGHTS_FILE) -> pathlib.Path:
    """Writes the SavedModel of a weights file to `<base_dir>/<version>`, whole or not at all.

    Returns:
      The version folder; one that is there already is left as it is.
    """
    _, facts = unpack(path)
    version_dir = base_dir / str(facts.version)
    if version_dir.is_dir():
        return version_dir
    base_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base_dir, prefix=".part-") as part:
        model_dir = os.path.join(part, "model")
        save(ServedModel(load_network(path), facts.labels, flip=facts.flip), model_dir)
        write_extras(model_dir, facts.labels, facts.metrics, np.zeros((1, 48, 48, 1), np.uint8))
        try:
            os.rename(model_dir, version_dir)
        except OSError:
            if not version_dir.is_dir():  # else another process was faster, with the same model
                raise
    return version_dir


if __name__ == "__main__":
    print(json.dumps({"version_dir": str(export_model(pathlib.Path(sys.argv[1])))}))
