"""BentoML over the SavedModel in MODEL_DIR, with its adaptive batching: bentoml serve."""

import base64
import os
import typing

import bentoml
import tensorflow as tf


@bentoml.service(workers=1)
class Emotion:
    """Base64 images in, probabilities and labels out; requests are batched by BentoML."""

    def __init__(self):
        self.model = tf.saved_model.load(os.environ["MODEL_DIR"])
        self.infer = self.model.signatures["serving_default"]

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=1000)
    def predict(self, images: list[str]) -> list[dict[str, typing.Any]]:
        outputs = self.infer(image_bytes=tf.constant([base64.b64decode(one) for one in images]))
        return [
            {"probabilities": probabilities.tolist(), "label": label.decode()}
            for probabilities, label in zip(
                outputs["probabilities"].numpy(), outputs["label"].numpy(), strict=True
            )
        ]
