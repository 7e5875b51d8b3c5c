"""A training that begins with the weights of a pushed model."""

import json
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.modules.networks import (
    arrays_by_name,
    assign_arrays,
    build_network,
    variables_by_name,
)
from emotion_pipeline.modules.pushed_models import (
    ASSETS_EXTRA_DIR,
    KIND_FILE,
    VARIABLES,
    WARM_START,
    class_names_of,
    find_model,
)
from emotion_pipeline.modules.signatures import WEIGHTS_ATTRIBUTE

_NETWORK_ATTRIBUTE = "_network"
"""Under which models hold their network that were pushed before December 2026."""


def start_from(
    network: tf.keras.Model, folder: str, network_name: str, class_names: Sequence[str]
) -> None:
    """Gives a network the weights, and the statistics of batch normalisation, of a pushed model.

    Args:
      network: Of that name and those classes.
      folder: A folder of pushed versions, or a version.
      network_name: What the setting `train.network` calls it.
      class_names: In the order of the outputs.

    Raises:
      UserError: There is no model, or it is another network, or has other classes or another order.
    """
    model_dir = find_model(folder, WARM_START)
    names = class_names_of(model_dir, WARM_START, class_names)
    if names != list(class_names):
        raise UserError(
            f"{WARM_START}: {model_dir} answers in the order {', '.join(names)}; this run's is "
            f"{', '.join(class_names)}: give `labels` the model's order"
        )
    kind_file = os.path.join(model_dir, ASSETS_EXTRA_DIR, KIND_FILE)
    if not tf.io.gfile.exists(kind_file):
        raise UserError(f"{WARM_START}: {model_dir} does not say which network it is ({kind_file})")
    with tf.io.gfile.GFile(kind_file) as file:
        found = json.load(file)["network"]
    if found != network_name:
        raise UserError(
            f"{WARM_START}: {model_dir} is a {found} network; this run trains a {network_name} one "
            "(train.network)"
        )
    # By way of another network: what is read from a checkpoint is kept for what joins the network later, and a
    # model that was pushed with its optimizer would give the training that one's step, and so its learning rate.
    assign_arrays(network, read_arrays(model_dir, network_name, len(class_names)))


def read_arrays(model_dir: str, network_name: str, num_classes: int) -> dict[str, np.ndarray]:
    """Returns the arrays of a SavedModel's network, as `arrays_by_name` has them."""
    network = build_network(network_name, num_classes=num_classes)
    read_weights(network, model_dir)
    return arrays_by_name(network)


def read_weights(network: tf.keras.Model, model_dir: str) -> None:
    """Reads the weights of a SavedModel's network into one of the same layers."""
    path = os.path.join(model_dir, VARIABLES)
    names = [name for name, _ in tf.train.list_variables(path)]
    if any(name.startswith(f"{WEIGHTS_ATTRIBUTE}/") for name in names):
        checkpoint = tf.train.Checkpoint(**{WEIGHTS_ATTRIBUTE: variables_by_name(network)})
    else:
        checkpoint = tf.train.Checkpoint(**{_NETWORK_ATTRIBUTE: network})
    checkpoint.read(path).assert_existing_objects_matched().expect_partial()
