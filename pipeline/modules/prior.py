"""The classes' shares in what a network answers, brought to their shares in the folders.

A network that learned from people's votes, or from balanced classes, calls a class as often as these do. What is
added here to its last layer's bias is prior correction after the training, as in arXiv:2007.07314 (section 4).
"""

import numpy as np
import tensorflow as tf

from emotion_pipeline.components.calibration import LEAST_PROBABILITY
from emotion_pipeline.components.progress import report

_CLOSE = 1e-5
_MAX_ROUNDS = 1000


def correct_prior(
    network: tf.keras.Model,
    answers: np.ndarray,
    labels: np.ndarray,
    share: float,
    class_names: list[str],
) -> str:
    """Changes the bias of a network's last layer, a softmax.

    Args:
      network: Whose bias is changed.
      answers: `[N, C]` float32, its probabilities for the train pictures.
      labels: `[N]` int, the classes of their folders.
      share: In (0, 1]. Each class's mean probability is brought so far from where it is to the share of
        the pictures that are in its folder.
      class_names: The C names.

    Returns:
      What was added to each class's logit, in words.
    """
    bias = prior_bias(answers, labels, share)
    network.layers[-1].bias.assign_add(bias)
    added = ", ".join(f"{name} {one:+.2f}" for name, one in zip(class_names, bias, strict=True))
    words = f"prior correction of {share:g}, added to the logits: {added}"
    report(words)
    return words


def prior_bias(answers: np.ndarray, labels: np.ndarray, share: float) -> np.ndarray:
    """Returns what `correct_prior`, whose arguments these are, adds to the logits; `[C]` float64."""
    means = answers.mean(axis=0, dtype=np.float64)
    folders = np.bincount(labels, minlength=len(means)) / len(labels)
    # A class without a picture is not made impossible.
    wanted = np.where(folders > 0, (1 - share) * means + share * folders, means)
    return fit_bias(answers, wanted / wanted.sum())


def fit_bias(probabilities: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Returns what to add to the logits so that the mean answers are the shares.

    Args:
      probabilities: `[N, C]` float.
      shares: `[C]` float above 0 that sum to 1.

    Returns:
      `[C]` float64 with a mean of 0.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), LEAST_PROBABILITY))
    bias = np.zeros(len(shares))
    for _ in range(_MAX_ROUNDS):
        powers = np.exp(logits + bias)
        means = (powers / powers.sum(axis=1, keepdims=True)).mean(axis=0)
        bias += np.log(shares / means)
        if np.abs(means - shares).max() < _CLOSE:
            break
    return bias - bias.mean()
