"""Weights averaged over the steps of a training, and the batch-normalisation statistics that fit them."""

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from emotion_pipeline.modules.model import set_dropout_rate
from emotion_pipeline.modules.training_data import Split, network_input
from emotion_pipeline.train_config import TrainConfig

_SAMPLE_IMAGES = 2048
_SAMPLE_BATCH = 256


class Adam(tf.keras.optimizers.Adam):
    """Keras's Adam in one operation a weight, its averages put in place by `averaged_weights` alone.

    Keras's `fit` ends by replacing the weights with their averages; a training of one `fit` an epoch
    would begin each epoch with the averages, and hardly learn.

    Keras computes a step in a dozen operations, each of which passes over all weights; TensorFlow's
    ResourceApplyAdam is the same arithmetic in one pass.
    """

    def update_step(self, gradient, variable):
        """Updates one weight by its dense gradient."""
        index = self._index_dict[self._var_key(variable)]
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].handle,
            v=self._velocities[index].handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(self.learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )

    def finalize_variable_values(self, var_list):
        """Leaves the weights as they are."""

    def put_averages(self, variables) -> None:
        """Replaces the weights with their averages."""
        super().finalize_variable_values(variables)


def statistics_sample(split: Split, config: TrainConfig, seed: int) -> np.ndarray:
    """Returns what statistics are taken over: `[N, 48, 48, 1]` float32 inputs, N at most 2,048."""
    order = np.random.default_rng(seed).permutation(len(split))[:_SAMPLE_IMAGES]
    return network_input(split.pixels[np.sort(order)], config).numpy()


@contextlib.contextmanager
def averaged_weights(model: tf.keras.Model, sample: np.ndarray) -> Iterator[None]:
    """Gives the model the optimizer's averaged weights for a while, where it keeps any.

    The statistics of batch normalisation were gathered with the weights of each step, which the
    averages are not, and are taken anew over the sample: with the old ones FER2013's validation
    accuracy was 0.41 after seven epochs, with the new ones 0.51.

    Args:
      model: Compiled with an `Adam` of this module.
      sample: `[N, 48, 48, 1]` float32, the inputs to take statistics over.
    """
    if not model.optimizer.use_ema:
        yield
        return
    trained = [variable.numpy() for variable in model.variables]
    with model.distribute_strategy.scope():
        model.optimizer.put_averages(model.trainable_variables)
    _take_statistics(model, sample)
    try:
        yield
    finally:
        for variable, value in zip(model.variables, trained, strict=True):
            variable.assign(value)


def _take_statistics(model: tf.keras.Model, sample: np.ndarray) -> None:
    """Sets the moving statistics to the mean over the sample's batches, without dropout."""
    norms = [
        layer for layer in model.layers if isinstance(layer, tf.keras.layers.BatchNormalization)
    ]
    dropouts = [layer for layer in model.layers if isinstance(layer, tf.keras.layers.Dropout)]
    momenta, rates = [layer.momentum for layer in norms], [layer.rate for layer in dropouts]
    set_dropout_rate(model, 0.0)
    try:
        for number, first in enumerate(range(0, len(sample), _SAMPLE_BATCH)):
            for layer in norms:
                layer.momentum = number / (number + 1)  # a plain mean of what came so far
            model(tf.constant(sample[first : first + _SAMPLE_BATCH]), training=True)
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
        for layer, rate in zip(dropouts, rates, strict=True):
            layer.rate = rate
