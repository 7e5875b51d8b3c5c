"""The networks by the names that the setting `train.network` gives them."""

import re
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from emotion_pipeline.modules.deep_network import build_deep_model
from emotion_pipeline.modules.model import build_model

_COUNTED = re.compile(r"_(\d+)$")

_BUILDERS: dict[str, Callable[..., tf.keras.Model]] = {
    "specified": build_model,
    "deep": build_deep_model,
}


def build_network(name: str, **arguments) -> tf.keras.Model:
    """Builds a network; `build_model` and `build_deep_model` say what the arguments are.

    Raises:
      KeyError: There is no network of that name.
    """
    return _BUILDERS[name](**arguments)


def variables_by_name(network: tf.keras.Model) -> dict[str, tf.Variable]:
    """Returns a network's variables by layer and variable, `conv2d_1/kernel` for one.

    Keras numbers the layers of a process; here those of a kind are numbered from 0 in each network, in the
    order in which they were made.
    """
    layers = {layer.name: layer for layer in network.layers if layer.weights}
    kinds: dict[str, list[str]] = {}
    for name in sorted(layers, key=_number):
        kinds.setdefault(_COUNTED.sub("", name), []).append(name)
    return {
        f"{kind}_{rank}/{_role(variable)}" if rank else f"{kind}/{_role(variable)}": variable
        for kind, names in kinds.items()
        for rank, name in enumerate(names)
        for variable in layers[name].weights
    }


def arrays_by_name(network: tf.keras.Model) -> dict[str, np.ndarray]:
    """Returns a network's arrays by layer and variable, as `variables_by_name` names them."""
    return {name: variable.numpy() for name, variable in variables_by_name(network).items()}


def assign_arrays(network: tf.keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives a network the weights and statistics of another of the same layers.

    Args:
      network: Whose variables are assigned.
      arrays: As `arrays_by_name` has them, one for each.
    """
    for name, variable in variables_by_name(network).items():
        variable.assign(arrays[name])


def _number(layer: str) -> int:
    counted = _COUNTED.search(layer)
    return int(counted[1]) if counted else 0


def _role(variable: tf.Variable) -> str:
    return variable.name.rpartition("/")[2].partition(":")[0]
