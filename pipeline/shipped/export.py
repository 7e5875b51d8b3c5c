"""Makes the SavedModel of a shipped model: `python -m emotion_pipeline.shipped.export NAME DIR`."""

import json
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import tensorflow as tf

from emotion_pipeline.modules.export import ASSETS_EXTRA_DIR, write_extras
from emotion_pipeline.modules.networks import assign_arrays, build_network, variables_by_name
from emotion_pipeline.modules.onnx_file import write_onnx
from emotion_pipeline.modules.precision import choose_policy
from emotion_pipeline.modules.signatures import ServedModel, save
from emotion_pipeline.shipped.models import ShippedModel, find_shipped
from emotion_pipeline.shipped.weights import unpack


def load_network(model: ShippedModel) -> tf.keras.Model:
    """Returns a network with its shipped weights, in the precision that is fast here.

    Raises:
      ValueError: The file's arrays are not those of the network.
    """
    weights, facts = unpack(model.weights_file), model.facts
    policy, _ = choose_policy("auto")
    network = build_network(facts.network, num_classes=len(facts.labels), dtype_policy=policy)
    variables = variables_by_name(network)
    if variables.keys() != weights.keys():
        raise ValueError(
            f"{model.weights_file}: holds {sorted(weights)}, the network has {sorted(variables)}"
        )
    assign_arrays(network, weights)
    return network


def export_model(base_dir: pathlib.Path, model: ShippedModel) -> pathlib.Path:
    """Writes the SavedModel of a shipped model to `<base_dir>/<version>`, whole or not at all.

    Returns:
      The version folder; one that is there already is left as it is.
    """
    facts = model.facts
    version_dir = base_dir / str(facts.version)
    if version_dir.is_dir():
        return version_dir
    base_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base_dir, prefix=".part-") as part:
        model_dir = os.path.join(part, "model")
        served = ServedModel(
            load_network(model),
            facts.labels,
            flip=facts.flip,
            normalize_method=facts.normalize,
            temperature=facts.calibration.temperature,
        )
        save(served, model_dir)
        sample = np.zeros((1, 48, 48, 1), np.uint8)
        write_extras(model_dir, facts.labels, facts.metrics, facts.kind, sample)
        write_onnx(
            os.path.join(model_dir, ASSETS_EXTRA_DIR),
            unpack(model.weights_file),
            facts.labels,
            facts.kind,
        )
        for beside in model.beside:
            shutil.copy(beside, os.path.join(model_dir, ASSETS_EXTRA_DIR))
        try:
            os.rename(model_dir, version_dir)
        except OSError:
            if not version_dir.is_dir():  # else another process was faster, with the same model
                raise
    return version_dir


if __name__ == "__main__":
    written = export_model(pathlib.Path(sys.argv[2]), find_shipped(sys.argv[1]))
    print(json.dumps({"version_dir": str(written)}))
