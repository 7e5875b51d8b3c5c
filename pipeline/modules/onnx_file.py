"""Writes a trained network as ONNX beside its SavedModel."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from emotion_faces.model_folder import INT8_FILE, ONNX_FILE
from emotion_pipeline.onnx_model.model import make_onnx


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
    with tf.io.gfile.GFile(os.path.join(folder, ONNX_FILE), "wb") as file:
        file.write(make_onnx(arrays, class_names, **kind))


def write_int8(
    folder: str, train_pixels: np.ndarray, eval_pixels: np.ndarray, eval_labels: np.ndarray
) -> str:
    """Writes `model.int8.onnx` where that costs little enough accuracy.

    Args:
      folder: As `write_onnx` has filled it.
      train_pixels: `[N, 48, 48, 1]` uint8; some of them say between which bounds the network's numbers lie.
      eval_pixels: `[M, 48, 48, 1]` uint8.
      eval_labels: `[M]`, the right answers about those.

    Returns:
      What it costs, and whether it was written, in words.
    """
    # Imported here: half a second, which trainings without it need not take.
    from emotion_pipeline.onnx_model.int8 import (
        MAX_ACCURACY_DROP,
        accuracy_of,
        choose_sample,
        in_int8,
    )

    with tf.io.gfile.GFile(os.path.join(folder, ONNX_FILE), "rb") as file:
        whole = file.read()
    small = in_int8(whole, choose_sample(train_pixels))
    before, after = (accuracy_of(model, eval_pixels, eval_labels) for model in (whole, small))
    costs = f"in 8 bits the model's accuracy on eval is {after:.4f}, {before:.4f} otherwise"
    if before - after >= MAX_ACCURACY_DROP:
        return f"{costs}: too little, so there is no {INT8_FILE}"
    with tf.io.gfile.GFile(os.path.join(folder, INT8_FILE), "wb") as file:
        file.write(small)
    return f"{costs}: written as {INT8_FILE}"
