"""Ray Serve over the SavedModel, one replica, with its own batching: python ray_app.py DIR PORT."""

import base64
import sys
import time

import ray
import tensorflow as tf
from ray import serve


@serve.deployment(num_replicas=1, max_ongoing_requests=128)
class Emotion:
    """Base64 image in, probabilities and label out; requests are batched by Ray Serve."""

    def __init__(self, model_dir):
        self.model = tf.saved_model.load(model_dir)
        self.infer = self.model.signatures["serving_default"]

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.002)
    async def predict(self, images):
        outputs = self.infer(image_bytes=tf.constant(images))
        return [
            {"probabilities": probabilities.tolist(), "label": label.decode()}
            for probabilities, label in zip(
                outputs["probabilities"].numpy(), outputs["label"].numpy(), strict=True
            )
        ]

    async def __call__(self, request):
        return await self.predict(base64.b64decode((await request.json())["b64"]))


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2]), "access_log": False})
    serve.run(Emotion.bind(sys.argv[1]), route_prefix="/predict")
    while True:
        time.sleep(3600)
