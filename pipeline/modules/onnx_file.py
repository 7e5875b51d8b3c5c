"""Writes a trained network as ONNX beside its SavedModel."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from emotion_pipeline.onnx_model.model import MODEL_FILE, make_onnx


def write_onnx(
    folder: str,
    arrays: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    kind: Mapping[str, Any],
) -> None:
    """Writes `model.onnx`.

    Args:
      folder: `assets.extra` of the SavedModel, here or in an object store.
      arrays: Of the network, as `networks.arrays_by_name` has them.
      class_names: Of the outputs, in their order.
      kind: Which `network` it is, and what comes before and after it: `normalize`, `flip`, `temperature`.
    """
    with tf.io.gfile.GFile(os.path.join(folder, MODEL_FILE), "wb") as file:
        file.write(make_onnx(arrays, class_names, **kind))
