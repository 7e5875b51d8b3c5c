"""KServe's Python server over the SavedModel (its batcher is a sidecar, not in this process)."""

import base64
import sys

import kserve
import tensorflow as tf


class Emotion(kserve.Model):
    """V1 protocol: base64 images in `instances`, probabilities and labels in `predictions`."""

    def load(self):
        self.model = tf.saved_model.load(sys.argv[1])
        self.infer = self.model.signatures["serving_default"]
        self.ready = True
        return self.ready

    def predict(self, payload, headers=None, response_headers=None):
        images = [base64.b64decode(one["b64"]) for one in payload["instances"]]
        outputs = self.infer(image_bytes=tf.constant(images))
        return {
            "predictions": [
                {"probabilities": probabilities.tolist(), "label": label.decode()}
                for probabilities, label in zip(
                    outputs["probabilities"].numpy(), outputs["label"].numpy(), strict=True
                )
            ]
        }


if __name__ == "__main__":
    model = Emotion("emotion")
    model.load()
    kserve.ModelServer(http_port=int(sys.argv[2]), enable_grpc=False, workers=1).start([model])
