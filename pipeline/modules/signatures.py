"""The signatures that a served model answers."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from emotion_pipeline.components.calibration import LEAST_PROBABILITY
from emotion_pipeline.components.constants import IMAGE_SIZE_PX
from emotion_pipeline.components.features import IMAGE_KEY, LABEL_KEY, transformed_key
from emotion_pipeline.modules.networks import variables_by_name
from emotion_pipeline.modules.normalize import normalize
from emotion_pipeline.modules.transform_module import decode_any_size

CLASSIFY_METHOD_NAME = "tensorflow/serving/classify"


def freeze(network: tf.keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the network in inference mode, as it is now, with constants for weights.

    TensorFlow converts variables to bfloat16 and lays them out for oneDNN in each run, and constants
    once; in a run of few images that was most of the work. docs/serving.md has the figures.
    """
    spec = tf.TensorSpec(network.input_shape, tf.float32)
    function = tf.function(lambda pixels: network(pixels, training=False), autograph=False)
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(spec))
    return lambda pixels: frozen(pixels)[0]


def traced(spec: tf.TensorSpec) -> Callable:
    """Returns a decorator that makes a graph of a function of one tensor.

    AutoGraph is off: no branch and no loop here hangs on a tensor, and it would parse and write anew the source of
    all that is called, TFT's layer included.
    """
    return tf.function(input_signature=[spec], autograph=False)


WEIGHTS_ATTRIBUTE = "_weights"
"""Under which a SavedModel's variables hold those of its network, by the names of `variables_by_name`."""


class ServedModel(tf.Module):
    """A trained network with its class names, its decoder and its transform graph.

    It answers with constants, and is saved with the network's variables too, for whoever trains on.

    Signatures:
      serving_default: `image_bytes` `[N]` string (JPEG or PNG, any size) to `probabilities`
        `[N, C]` float32, `label` `[N]` string and `classes` `[N, C]` string.
      pixels: `pixels` `[N, 48, 48, 1]` float32 in [0, 1] to the same.
      classify: `inputs` `[N]` string (serialised `tf.Example` with the feature `image`) to `classes`
        and `scores`, as the Classify call wants them.
      transform_features, evaluate: what TFMA calls; both take serialised raw Examples.
    """

    def __init__(
        self,
        network: tf.keras.Model,
        class_names: list[str],
        transform_output: tft.TFTransformOutput | None = None,
        flip: bool = False,
        normalize_method: str = "none",
        temperature: float = 1.0,
    ):
        """Wraps a network.

        Args:
          network: From `[N, 48, 48, 1]` pixels in [0, 1] to `[N, C]` probabilities.
          class_names: The C names, in the order of the outputs.
          transform_output: The transform graph; None leaves out the two signatures for TFMA.
          flip: Whether an answer is the mean over the image and its mirror image.
          normalize_method: What is done to the light of each picture, as `normalize` has it.
          temperature: The logarithms of the answer, the mean of both if need be, are divided by it.

        Raises:
          ValueError: The network has another number of outputs than there are names.
        """
        super().__init__(name="emotion")
        if network.output_shape[-1] != len(class_names):
            raise ValueError(
                f"the network has {network.output_shape[-1]} outputs for {len(class_names)} class "
                f"names: {class_names}"
            )
        # Tracked, so that they are saved: WEIGHTS_ATTRIBUTE. Of the network itself Keras would trace and save
        # each layer's functions too, which nobody calls.
        self._weights = variables_by_name(network)
        self._infer = freeze(network)
        self._class_names = tf.constant(class_names, name="class_names")
        self._flip = flip
        self._normalize_method = normalize_method
        self._temperature = temperature
        self._transform_output = transform_output
        # Tracked, so that the transform graph's tables are saved with the model.
        self._transform_layer = (
            transform_output.transform_features_layer() if transform_output else None
        )

    def _probabilities(self, pixels: tf.Tensor) -> tf.Tensor:
        answers = self._untempered(pixels)
        if self._temperature == 1.0:
            return answers
        # As components/calibration.py has it in NumPy.
        return tf.nn.softmax(
            tf.math.log(tf.maximum(answers, LEAST_PROBABILITY)) / self._temperature
        )

    def _untempered(self, pixels: tf.Tensor) -> tf.Tensor:
        pixels = normalize(pixels, self._normalize_method)
        if not self._flip:
            return self._infer(pixels)
        # One run of twice the images costs less than two runs.
        answers = self._infer(tf.concat([pixels, tf.reverse(pixels, axis=[2])], axis=0))
        return tf.reduce_mean(tf.reshape(answers, [2, -1, answers.shape[-1]]), axis=0)

    def _answer(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = self._probabilities(pixels)
        return {
            "probabilities": probabilities,
            "label": tf.gather(self._class_names, tf.argmax(probabilities, axis=1)),
            "classes": self._classes(probabilities),
        }

    def _classes(self, probabilities: tf.Tensor) -> tf.Tensor:
        return tf.tile(self._class_names[tf.newaxis], [tf.shape(probabilities)[0], 1])

    def _transform(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        assert self._transform_output is not None
        assert self._transform_layer is not None
        spec = self._transform_output.raw_feature_spec()
        wanted = {key: spec[key] for key in (IMAGE_KEY, LABEL_KEY)}
        return self._transform_layer(tf.io.parse_example(examples, wanted))

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Returns the concrete function of each signature."""
        strings = tf.TensorSpec([None], tf.string)

        @traced(tf.TensorSpec([None], tf.string, name="image_bytes"))
        def serving_default(image_bytes):
            return self._answer(decode_any_size(image_bytes))

        shape = [None, IMAGE_SIZE_PX, IMAGE_SIZE_PX, 1]

        @traced(tf.TensorSpec(shape, tf.float32, name="pixels"))
        def pixels(pixels):
            return self._answer(pixels)

        @traced(tf.TensorSpec([None], tf.string, name="inputs"))
        def classify(inputs):
            parsed = tf.io.parse_example(inputs, {IMAGE_KEY: tf.io.FixedLenFeature([], tf.string)})
            scores = self._probabilities(decode_any_size(parsed[IMAGE_KEY]))
            return {"classes": self._classes(scores), "scores": scores}

        functions = {
            "serving_default": serving_default.get_concrete_function(),
            "pixels": pixels.get_concrete_function(),
            "classify": classify.get_concrete_function(),
        }
        if self._transform_output is not None:

            @traced(strings)
            def transform_features(examples):
                return self._transform(examples)

            @traced(strings)
            def evaluate(examples):
                pixels_xf = self._transform(examples)[transformed_key(IMAGE_KEY)]
                return {"probabilities": self._probabilities(pixels_xf)}

            functions["transform_features"] = transform_features.get_concrete_function()
            functions["evaluate"] = evaluate.get_concrete_function()
        return functions


def save(model: ServedModel, model_dir: str) -> None:
    """Writes the SavedModel; `classify` carries the method name of TensorFlow Serving's Classify."""
    tf.saved_model.save(model, model_dir, signatures=model.signatures())
    _set_method_name(model_dir, "classify", CLASSIFY_METHOD_NAME)


def _set_method_name(model_dir: str, signature: str, method_name: str) -> None:
    """TensorFlow 2 writes every signature with the method name of Predict."""
    from tensorflow.core.protobuf import saved_model_pb2

    path = f"{model_dir}/saved_model.pb"
    message = saved_model_pb2.SavedModel()
    with tf.io.gfile.GFile(path, "rb") as file:
        message.ParseFromString(file.read())
    message.meta_graphs[0].signature_def[signature].method_name = method_name
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(message.SerializeToString(deterministic=True))
