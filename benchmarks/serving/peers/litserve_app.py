"""LitServe over the SavedModel, with its own batching: python litserve_app.py MODEL_DIR PORT."""

import base64
import sys

import litserve
import tensorflow as tf


class EmotionAPI(litserve.LitAPI):
    """Base64 image in, probabilities and label out; requests are batched by LitServe."""

    def setup(self, device):
        self.model = tf.saved_model.load(sys.argv[1])
        self.infer = self.model.signatures["serving_default"]

    def decode_request(self, request):
        return base64.b64decode(request["b64"])

    def batch(self, inputs):
        return list(inputs)

    def predict(self, images):
        outputs = self.infer(image_bytes=tf.constant(images))
        return list(zip(outputs["probabilities"].numpy(), outputs["label"].numpy(), strict=True))

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        probabilities, label = output
        return {"probabilities": probabilities.tolist(), "label": label.decode()}


if __name__ == "__main__":
    api = EmotionAPI(max_batch_size=32, batch_timeout=0.002)
    litserve.LitServer(api, accelerator="cpu", workers_per_device=1).run(
        host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning"
    )
