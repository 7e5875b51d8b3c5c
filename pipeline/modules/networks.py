"""The networks by the names that the setting `train.network` gives them."""

from collections.abc import Callable

import tensorflow as tf

from emotion_pipeline.modules.deep_network import build_deep_model
from emotion_pipeline.modules.model import build_model

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
