"""MLServer over the SavedModel, with its adaptive batching: python mlserver_app.py MODEL_DIR PORT."""

import asyncio
import sys

import mlserver
import tensorflow as tf
from mlserver import codecs, settings, types


class Emotion(mlserver.MLModel):
    """V2 protocol: base64 images in, probabilities and labels out."""

    async def load(self):
        self.model = tf.saved_model.load(self.settings.parameters.uri)
        self.infer = self.model.signatures["serving_default"]
        return True

    async def predict(self, payload):
        images = codecs.Base64Codec.decode_input(payload.inputs[0])
        outputs = self.infer(image_bytes=tf.constant(images))
        return types.InferenceResponse(
            model_name=self.name,
            outputs=[
                codecs.NumpyCodec.encode_output("probabilities", outputs["probabilities"].numpy()),
                codecs.StringCodec.encode_output(
                    "label", [label.decode() for label in outputs["label"].numpy()]
                ),
            ],
        )


async def main():
    model = settings.ModelSettings(
        name="emotion",
        implementation=Emotion,
        parameters=settings.ModelParameters(uri=sys.argv[1]),
        max_batch_size=32,
        max_batch_time=0.002,
    )
    # Ports beside the one measured: none of them may be fixed.
    server = mlserver.MLServer(
        settings.Settings(
            host="127.0.0.1",
            http_port=int(sys.argv[2]),
            grpc_port=int(sys.argv[3]),
            metrics_endpoint=None,
            parallel_workers=0,
        )
    )
    await server.start([model])


if __name__ == "__main__":
    asyncio.run(main())
