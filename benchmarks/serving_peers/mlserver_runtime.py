"""MLServer runtime over the SavedModel at the model's uri, with its adaptive batching."""

import tensorflow as tf
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class EmotionRuntime(MLModel):
    """Base64 images in, probabilities and labels out; requests are batched by MLServer."""

    async def load(self) -> bool:
        self.model = tf.saved_model.load(self.settings.parameters.uri)
        self.infer = self.model.signatures["serving_default"]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        outputs = self.infer(image_bytes=tf.constant(Base64Codec.decode_input(payload.inputs[0])))
        labels = [label.decode() for label in outputs["label"].numpy()]
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                NumpyCodec.encode_output("probabilities", outputs["probabilities"].numpy()),
                StringCodec.encode_output("label", labels),
            ],
        )
