"""What a training minimises."""

import tensorflow as tf

from emotion_pipeline.modules.teachers import soften
from emotion_pipeline.train_config import TrainConfig


class Distillation(tf.keras.losses.Loss):
    """Cross-entropy to the labels and, where the targets have them, to the teachers' answers.

    Targets are `[B, C]` labels, or `[B, 2C]`: labels, then the teachers' softened answers.
    """

    def __init__(self, config: TrainConfig):
        """Takes weight, temperature and label smoothing from the settings."""
        super().__init__(name="distillation")
        self._config = config

    def call(self, y_true, y_pred):
        """Returns the loss of each picture, `[B]`."""
        labels, answers = split_targets(y_true, y_pred.shape[-1])
        of_labels = tf.keras.losses.categorical_crossentropy(
            labels, y_pred, label_smoothing=self._config.label_smoothing
        )
        if answers is None:
            return of_labels
        temperature, weight = self._config.teacher_temperature, self._config.teacher_weight
        of_answers = tf.keras.losses.categorical_crossentropy(answers, soften(y_pred, temperature))
        return (1 - weight) * of_labels + weight * temperature**2 * of_answers


def make_loss(config: TrainConfig) -> tf.keras.losses.Loss:
    """Returns Keras's categorical cross-entropy, or with teachers the distillation's."""
    if config.teachers:
        return Distillation(config)
    return tf.keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing)


def accuracy(y_true, y_pred):
    """Returns for each picture whether the answer is the first of its label, teachers or not."""
    labels, _ = split_targets(y_true, y_pred.shape[-1])
    return tf.keras.metrics.categorical_accuracy(labels, y_pred)


def split_targets(targets: tf.Tensor, num_classes: int) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns the labels and the teachers' answers, None where there are none."""
    if targets.shape[-1] == num_classes:
        return targets, None
    return targets[:, :num_classes], targets[:, num_classes:]
