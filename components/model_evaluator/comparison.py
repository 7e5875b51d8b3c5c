"""Whether a model is worse than another on the same pictures: a paired test."""

import dataclasses
import math
import statistics

import numpy as np

_STEPS = 60
"""Halvings of the interval in which the bound lies; more than a float64 has bits."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two models on the same pictures.

    Attributes:
      images: How many pictures.
      gained: How many the model has right and the one to beat has wrong.
      lost: How many it has wrong and the other has right.
      baseline_accuracy: Of the model to beat.
      difference: Of the accuracies, the model's minus the other's: (gained - lost) / images.
      confidence: Of the bound, in (0.5, 1).
      upper_bound: The largest difference that the pictures do not speak against.
      max_drop: How much lower than the other's the accuracy may be.
      passed: Whether `upper_bound` is not below `-max_drop`.
    """

    images: int
    gained: int
    lost: int
    baseline_accuracy: float
    difference: float
    confidence: float
    upper_bound: float
    max_drop: float
    passed: bool


def compare(
    correct: np.ndarray, baseline_correct: np.ndarray, confidence: float, max_drop: float
) -> Comparison:
    """Compares two models by which of the same pictures they have right.

    Args:
      correct: `[N]` bool, of the model.
      baseline_correct: `[N]` bool, of the model to beat, in the same order.
      confidence: In (0.5, 1). A model that is just as good fails with a chance of about 1 minus
        this; a little more often where the other was lucky, and no more often the more came before.
      max_drop: How much lower than the other's the accuracy may be, in [0, 1].

    Raises:
      ValueError: The two have different numbers of pictures, or none.
    """
    if correct.shape != baseline_correct.shape or not len(correct):
        raise ValueError(f"of {len(correct)} and of {len(baseline_correct)} pictures")
    images = len(correct)
    gained = int(np.sum(correct & ~baseline_correct))
    lost = int(np.sum(~correct & baseline_correct))
    bound = upper_bound(gained, lost, images, confidence)
    return Comparison(
        images=images,
        gained=gained,
        lost=lost,
        baseline_accuracy=float(np.mean(baseline_correct)),
        difference=(gained - lost) / images,
        confidence=confidence,
        upper_bound=bound,
        max_drop=max_drop,
        passed=bound >= -max_drop,
    )


def upper_bound(gained: int, lost: int, images: int, confidence: float) -> float:
    """Returns the one-sided upper bound of the difference of two paired shares.

    It is the difference at which the score test of Tango ("Equivalence test and confidence interval
    for the difference in proportions for the paired-sample design", Statistics in Medicine 17, 1998)
    no longer rejects. Against a difference of 0 that test is McNemar's, without correction:
    (gained - lost) / sqrt(gained + lost).
    """
    limit = -statistics.NormalDist().inv_cdf(confidence)
    low, high = (gained - lost) / images, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if score(gained, lost, images, middle) >= limit:
            low = middle
        else:
            high = middle
    return low


def score(gained: int, lost: int, images: int, difference: float) -> float:
    """Returns Tango's statistic, standard normal where the true difference is `difference`."""
    a = 2 * images
    b = -gained - lost + (2 * images - gained + lost) * difference
    c = -lost * difference * (1 - difference)
    share_lost = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = images * (2 * share_lost + difference * (1 - difference))
    above = gained - lost - images * difference
    if variance <= 0:
        return 0.0 if above == 0 else math.copysign(math.inf, above)
    return above / math.sqrt(variance)
