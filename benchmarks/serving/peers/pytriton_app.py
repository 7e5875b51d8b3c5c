"""PyTriton over the SavedModel, with Triton's dynamic batching: python pytriton_app.py MODEL_DIR PORT."""

import base64
import sys

import numpy as np
import tensorflow as tf
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


def main() -> None:
    model = tf.saved_model.load(sys.argv[1])
    infer = model.signatures["serving_default"]

    @batch
    def predict(image_bytes):
        images = [base64.b64decode(one) for one in image_bytes[:, 0]]
        outputs = infer(image_bytes=tf.constant(images))
        return {
            "probabilities": outputs["probabilities"].numpy(),
            "label": outputs["label"].numpy()[:, np.newaxis],
        }

    config = TritonConfig(
        http_address="127.0.0.1", http_port=int(sys.argv[2]), allow_grpc=False, allow_metrics=False
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="emotion",
            infer_func=predict,
            inputs=[Tensor(name="image_bytes", dtype=bytes, shape=(1,))],
            outputs=[
                Tensor(name="probabilities", dtype=np.float32, shape=(-1,)),
                Tensor(name="label", dtype=bytes, shape=(1,)),
            ],
            config=ModelConfig(max_batch_size=32, batcher=DynamicBatcher()),
        )
        triton.serve()


if __name__ == "__main__":
    main()
