"""A deeper network for the same pictures: residual blocks of half the specified one's parameters."""

import tensorflow as tf

from emotion_pipeline.components.constants import IMAGE_SIZE_PX, LABELS
from emotion_pipeline.modules.dropout import Dropout
from emotion_pipeline.modules.model import INPUT_NAME, LAST_LAYER_NAME, dtype_policy_scope

_STEM_CHANNELS = 32
_BLOCK_CHANNELS = (64, 128, 256)
_TOP_CHANNELS = 384


def build_deep_model(
    num_classes: int = len(LABELS),
    dropout_rate: float = 0.5,
    batch_norm_momentum: float = 0.99,
    seed: int = 0,
    dtype_policy: str = "float32",
) -> tf.keras.Model:
    """Builds a residual network (arXiv:1512.03385) of nine convolutions and one dense layer.

    A stem of 32 channels, then a residual block each of 64, 128 and 256 channels at 24, 12 and 6 pixels,
    a convolution of 384 at 3 pixels, and the mean over what is left. The channels are powers of two, or
    near: oneDNN's bfloat16 convolutions of 48 and 112 channels took twice the time.

    Args:
      num_classes: Number of outputs, in the order of the class names.
      dropout_rate: Rate of the one dropout layer, before the dense layer, in [0, 1).
      batch_norm_momentum: Momentum of the moving statistics; 0.99 is Keras's own.
      seed: Seeds the initial weights and the dropout masks.
      dtype_policy: A Keras dtype policy: `float32` or `mixed_bfloat16`.

    Returns:
      An uncompiled model from `[N, 48, 48, 1]` pixels in [0, 1] to `[N, num_classes]` float32
      probabilities. With seven classes it has 2,098,983 parameters and 108 million multiply-adds a
      picture, where the specified network has 6,837,127 and 74 million.
    """
    layers = tf.keras.layers
    next_seed = iter(range(seed * 1000, seed * 1000 + 100)).__next__

    def convolution(x, channels: int, kernel_px: int = 3):
        initializer = tf.keras.initializers.HeNormal(seed=next_seed())
        x = layers.Conv2D(
            channels, kernel_px, padding="same", use_bias=False, kernel_initializer=initializer
        )(x)
        return layers.BatchNormalization(momentum=batch_norm_momentum)(x)

    def residual_block(x, channels: int):
        inner = layers.ReLU()(convolution(x, channels))
        inner = convolution(inner, channels)
        return layers.ReLU()(layers.Add()([convolution(x, channels, kernel_px=1), inner]))

    with dtype_policy_scope(dtype_policy):
        pixels = layers.Input((IMAGE_SIZE_PX, IMAGE_SIZE_PX, 1), name=INPUT_NAME)
        x = layers.MaxPooling2D(2)(layers.ReLU()(convolution(pixels, _STEM_CHANNELS)))
        for channels in _BLOCK_CHANNELS:
            x = layers.MaxPooling2D(2)(residual_block(x, channels))
        x = layers.ReLU()(convolution(x, _TOP_CHANNELS))
        x = layers.GlobalAveragePooling2D()(x)
        x = Dropout(dropout_rate, seed=next_seed())(x)
        probabilities = layers.Dense(
            num_classes,
            activation="softmax",
            dtype="float32",
            kernel_initializer=tf.keras.initializers.GlorotUniform(seed=next_seed()),
            name=LAST_LAYER_NAME,
        )(x)
        return tf.keras.Model(pixels, probabilities, name="emotion_deep_cnn")
