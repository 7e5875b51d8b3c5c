"""The specified network, and the precision it computes in."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from emotion_pipeline.components.constants import IMAGE_SIZE_PX, LABELS
from emotion_pipeline.modules.dropout import Dropout

INPUT_NAME = "image_xf"
DROPOUT_RATE = 0.5
LAST_LAYER_NAME = "probabilities"


def build_model(
    num_classes: int = len(LABELS),
    dropout_rate: float = DROPOUT_RATE,
    batch_norm_momentum: float = 0.99,
    seed: int = 0,
    dtype_policy: str = "float32",
) -> tf.keras.Model:
    """Builds the network of the specification: two convolution blocks and two dense blocks.

    Args:
      num_classes: Number of outputs, in the order of the class names.
      dropout_rate: Rate of the four dropout layers, in [0, 1). The specification says 0.5.
      batch_norm_momentum: Momentum of the moving statistics; 0.99 is Keras's own.
      seed: Seeds the initial weights and the dropout masks.
      dtype_policy: A Keras dtype policy: `float32` or `mixed_bfloat16`.

    Returns:
      An uncompiled model from `[N, 48, 48, 1]` pixels in [0, 1] to `[N, num_classes]` float32
      probabilities. With seven classes it has 6,837,127 parameters.
    """
    layers = tf.keras.layers
    next_seed = iter(range(seed * 1000, seed * 1000 + 100)).__next__

    def initializer() -> tf.keras.initializers.Initializer:
        return tf.keras.initializers.GlorotUniform(seed=next_seed())

    def dropout() -> tf.keras.layers.Layer:
        return Dropout(dropout_rate, seed=next_seed())

    def convolution_block(x):
        x = layers.Conv2D(128, 3, activation="relu", kernel_initializer=initializer())(x)
        x = layers.BatchNormalization(momentum=batch_norm_momentum)(x)
        x = layers.MaxPooling2D(2)(x)
        return dropout()(x)

    def dense_block(x, units: int):
        x = layers.Dense(units, activation="relu", kernel_initializer=initializer())(x)
        return dropout()(x)

    with dtype_policy_scope(dtype_policy):
        pixels = layers.Input((IMAGE_SIZE_PX, IMAGE_SIZE_PX, 1), name=INPUT_NAME)
        x = convolution_block(pixels)
        x = convolution_block(x)
        x = layers.Flatten()(x)
        x = dense_block(x, 512)
        x = dense_block(x, 256)
        probabilities = layers.Dense(
            num_classes,
            activation="softmax",
            dtype="float32",
            kernel_initializer=initializer(),
            name=LAST_LAYER_NAME,
        )(x)
        return tf.keras.Model(pixels, probabilities, name="emotion_cnn")


@contextlib.contextmanager
def dtype_policy_scope(dtype_policy: str) -> Iterator[None]:
    """Makes layers compute in a Keras dtype policy, `float32` or `mixed_bfloat16`, for a while."""
    previous_policy = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(dtype_policy)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(previous_policy)


def set_dropout_rate(model: tf.keras.Model, rate: float) -> bool:
    """Sets the rate of every dropout layer and says whether it changed.

    A changed rate takes effect when the training function is traced anew.
    """
    changed = False
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Dropout) and layer.rate != rate:
            layer.rate = rate
            changed = True
    return changed
