"""Writes the served model with what travels beside it."""

import json
import os
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from emotion_pipeline.modules.networks import arrays_by_name
from emotion_pipeline.modules.onnx_file import write_onnx
from emotion_pipeline.modules.pushed_models import ASSETS_EXTRA_DIR, KIND_FILE, LABELS_FILE
from emotion_pipeline.modules.signatures import ServedModel, save
from emotion_pipeline.train_config import TrainConfig

METRICS_FILE = "metrics.json"
WARMUP_FILE = "tf_serving_warmup_requests"


def export(
    network: tf.keras.Model,
    class_names: list[str],
    transform_output: tft.TFTransformOutput,
    model_dir: str,
    config: TrainConfig,
    metrics: dict[str, Any],
    sample_pixels: np.ndarray,
    temperature: float = 1.0,
) -> None:
    """Writes the SavedModel, and beside it the same as ONNX, its class names, its metrics and its warm-up requests.

    Args:
      network: From `[N, 48, 48, 1]` pixels in [0, 1] to `[N, C]` probabilities.
      class_names: The C names in the order of the outputs.
      transform_output: The transform graph.
      model_dir: Folder to write.
      config: How it was trained, which says what is done to a picture before the network.
      metrics: Figures on the eval split, for whoever serves the model.
      sample_pixels: `[1, 48, 48, 1]` uint8, the image of the warm-up requests.
      temperature: Of the answers.
    """
    kind = {
        "network": config.network,
        "normalize": config.normalize,
        "flip": config.flip_at_serving,
        "temperature": temperature,
    }
    model = ServedModel(
        network,
        class_names,
        transform_output,
        config.flip_at_serving,
        config.normalize,
        temperature,
    )
    save(model, model_dir)
    write_extras(model_dir, class_names, metrics, kind, sample_pixels)
    write_onnx(
        os.path.join(model_dir, ASSETS_EXTRA_DIR), arrays_by_name(network), class_names, kind
    )


def write_extras(
    model_dir: str,
    class_names: list[str],
    metrics: dict[str, Any],
    kind: dict[str, Any],
    sample_pixels: np.ndarray,
) -> None:
    """Writes what travels beside a SavedModel into its `assets.extra`.

    Args:
      model_dir: Folder of the SavedModel.
      class_names: Of the outputs, in their order.
      metrics: Figures on the eval split.
      kind: Which `network` it is, and what comes before and after it: `normalize`, `flip`, `temperature`.
      sample_pixels: `[1, 48, 48, 1]` uint8, the image of the warm-up requests.
    """
    extra_dir = os.path.join(model_dir, ASSETS_EXTRA_DIR)
    tf.io.gfile.makedirs(extra_dir)
    with tf.io.gfile.GFile(os.path.join(extra_dir, LABELS_FILE), "w") as file:
        file.write("".join(f"{name}\n" for name in class_names))
    with tf.io.gfile.GFile(os.path.join(extra_dir, METRICS_FILE), "w") as file:
        json.dump(metrics, file, indent=1)
    with tf.io.gfile.GFile(os.path.join(extra_dir, KIND_FILE), "w") as file:
        json.dump(kind, file, indent=1)
    _write_warmup(os.path.join(extra_dir, WARMUP_FILE), sample_pixels)


def _write_warmup(path: str, sample_pixels: np.ndarray) -> None:
    """Writes a Predict request for each signature that clients call, as TensorFlow Serving replays them."""
    # Imported here: the stubs bring gRPC, which only this function needs.
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    encoded = cv2.imencode(".png", sample_pixels[0])[1].tobytes()
    requests = {
        "serving_default": ("image_bytes", tf.constant([encoded])),
        "pixels": ("pixels", tf.constant(sample_pixels, tf.float32) / 255.0),
    }
    with tf.io.TFRecordWriter(path) as writer:
        for signature, (name, value) in requests.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = signature
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())
