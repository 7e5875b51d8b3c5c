"""Pushed models whose answers a network learns beside the labels: distillation, arXiv:1503.02531."""

from collections.abc import Sequence

import tensorflow as tf

from emotion_pipeline.modules.pushed_models import TEACHERS, class_names_of, find_model

_SIGNATURE = "pixels"


class Teachers:
    """The mean answer of pushed models."""

    def __init__(self, folders: Sequence[str], class_names: Sequence[str]):
        """Loads the models.

        Args:
          folders: Of pushed versions, or versions; at least one.
          class_names: Those of the network that learns, in the order of its outputs; a teacher may
            have the same in another order.

        Raises:
          UserError: A folder has no model, or one of other classes.
        """
        self._models = []
        for folder in folders:
            model_dir = find_model(folder, TEACHERS)
            names = class_names_of(model_dir, TEACHERS, class_names)
            order = tf.constant([names.index(name) for name in class_names])
            model = tf.saved_model.load(model_dir)
            self._models.append((model, model.signatures[_SIGNATURE], order))

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        """Returns `[N, C]` float32 probabilities for `[N, 48, 48, 1]` float32 pixels in [0, 1]."""
        answers = [
            tf.gather(answer(pixels=pixels)["probabilities"], order, axis=1)
            for _, answer, order in self._models
        ]
        return tf.add_n(answers) / len(answers)


def soften(probabilities: tf.Tensor, temperature: float) -> tf.Tensor:
    """Returns what the softmax would have given for its inputs divided by the temperature.

    Args:
      probabilities: `[N, C]` float32.
      temperature: 1 leaves them as they are.
    """
    logits = tf.math.log(tf.maximum(probabilities, 1e-7))
    return tf.nn.softmax(logits / temperature)
