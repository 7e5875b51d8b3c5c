"""Dropout that costs less of a training step."""

import tensorflow as tf

_BITS = 16


class Dropout(tf.keras.layers.Dropout):
    """Keras's dropout from 16 random bits an element, where Keras draws 32 and selects by them.

    Of a bfloat16 training step's CPU time in this network, on an AMD EPYC with avx512_bf16, Keras's
    dropout is a quarter and this one an eighth. The rate is rounded to 1/65,536.

    The generator's state is part of the model's checkpoint, so a resumed training draws on.
    """

    def __init__(self, rate: float, seed: int, **kwargs):
        """Makes the layer.

        Args:
          rate: Share of the elements that become zero, in [0, 1).
          seed: Seeds the masks.
          **kwargs: Of a Keras layer.
        """
        super().__init__(rate, **kwargs)
        self.generator = tf.random.Generator.from_seed(seed)

    def build(self, input_shape):
        """Checks the shape; raises ValueError."""
        if (input_shape[-1] or 1) * _BITS % 32:
            raise ValueError(f"{self.name} wants an even last dimension, got {input_shape}")
        super().build(input_shape)

    def call(self, inputs, training=None):
        """Returns the input, in training with zeros and the rest divided by 1 - rate."""
        if not training or not self.rate:
            return inputs
        shape = tf.shape(inputs)
        words = tf.concat([shape[:-1], shape[-1:] * _BITS // 32], axis=0)
        bits = tf.bitcast(self.generator.uniform_full_int(words, tf.uint32), tf.uint16)
        keep = tf.reshape(bits, shape) >= tf.cast(round(self.rate * 2**_BITS), tf.uint16)
        return inputs * (tf.cast(keep, inputs.dtype) * tf.cast(1 / (1 - self.rate), inputs.dtype))
