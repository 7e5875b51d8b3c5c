"""Writes a trained network as ONNX beside its SavedModel."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from emotion_pipeline.onnx_model.model import MODEL_FILE, make_onnx

_COUNTED = re.compile(r"_(\d+)$")


def write_onnx(
    folder: str,
    arrays: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    kind: Mapping[str, Any],
) -> None:
    """Writes `model.onnx`.

    Args:
      folder: `assets.extra` of the SavedModel, here or in an object store.
      arrays: Of the network, as `arrays_by_name` has them.
      class_names: Of the outputs, in their order.
      kind: Which `network` it is, and what comes before it: `normalize`, `flip`.
    """
    with tf.io.gfile.GFile(os.path.join(folder, MODEL_FILE), "wb") as file:
        file.write(make_onnx(arrays, class_names, **kind))


def arrays_by_name(network: tf.keras.Model) -> dict[str, np.ndarray]:
    """Returns a network's arrays by layer and variable, `conv2d_1/kernel` for one.

    Keras numbers the layers of a process; here those of a kind are numbered from 0 in each network, in the
    order in which they were made.
    """
    layers = {layer.name: layer for layer in network.layers if layer.weights}
    kinds: dict[str, list[str]] = {}
    for name in sorted(layers, key=_number):
        kinds.setdefault(_COUNTED.sub("", name), []).append(name)
    return {
        f"{kind}_{rank}/{_role(variable)}"
        if rank
        else f"{kind}/{_role(variable)}": variable.numpy()
        for kind, names in kinds.items()
        for rank, name in enumerate(names)
        for variable in layers[name].weights
    }


def _number(layer: str) -> int:
    counted = _COUNTED.search(layer)
    return int(counted[1]) if counted else 0


def _role(variable: tf.Variable) -> str:
    return variable.name.rpartition("/")[2].partition(":")[0]
