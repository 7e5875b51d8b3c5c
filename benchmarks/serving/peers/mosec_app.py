"""mosec over the SavedModel in MODEL_DIR, with its own batching: python mosec_app.py, its settings in MOSEC_*."""

import base64
import os

import mosec
import tensorflow as tf


class Emotion(mosec.Worker):
    """Base64 image in, probabilities and label out; requests are batched by mosec."""

    def __init__(self):
        super().__init__()
        self.model = tf.saved_model.load(os.environ["MODEL_DIR"])
        self.infer = self.model.signatures["serving_default"]

    def forward(self, data):
        images = [base64.b64decode(one["b64"]) for one in data]
        outputs = self.infer(image_bytes=tf.constant(images))
        return [
            {"probabilities": probabilities.tolist(), "label": label.decode()}
            for probabilities, label in zip(
                outputs["probabilities"].numpy(), outputs["label"].numpy(), strict=True
            )
        ]


if __name__ == "__main__":
    server = mosec.Server()
    server.append_worker(Emotion, num=1, max_batch_size=32, max_wait_time=1)
    server.run()
