"""Whether a model is right as often as it says, and the temperature that makes it so.

Guo et al., "On Calibration of Modern Neural Networks" (2017), arXiv:1706.04599.
"""

import dataclasses

import numpy as np

NUM_BINS = 15
"""Bins of equal width over [0, 1], as in section 4."""

LOWEST, HIGHEST = 0.25, 4.0
"""What a temperature may be; a model that learned nothing would have none."""

LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)
"""What is taken for 0, which has no logarithm."""

_HALVINGS = 30


@dataclasses.dataclass(frozen=True)
class ReliabilityBin:
    """The predictions whose confidence lies in (low, high]; 0 itself is in the first bin.

    Attributes:
      low: Lower bound of the confidence.
      high: Upper bound of the confidence.
      count: Number of predictions.
      confidence: Their mean confidence; 0 where there are none.
      accuracy: The share of them that is right; 0 where there are none.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(
    confidences: np.ndarray, correct: np.ndarray, num_bins: int = NUM_BINS
) -> list[ReliabilityBin]:
    """Sorts predictions into bins of equal width by their confidence.

    Args:
      confidences: `[N]` float, the probability of the predicted class, in [0, 1].
      correct: `[N]` bool, whether the predicted class is the label.
      num_bins: Number of bins.

    Returns:
      Every bin, from the least to the most confident.
    """
    index = np.clip(np.ceil(np.asarray(confidences, np.float64) * num_bins) - 1, 0, num_bins - 1)
    index = index.astype(np.int64)
    counts = np.bincount(index, minlength=num_bins)
    confidence_sums = np.bincount(index, weights=confidences, minlength=num_bins)
    correct_sums = np.bincount(index, weights=correct, minlength=num_bins)
    divisors = np.maximum(counts, 1)
    return [
        ReliabilityBin(
            low=number / num_bins,
            high=(number + 1) / num_bins,
            count=int(counts[number]),
            confidence=float(confidence_sums[number] / divisors[number]),
            accuracy=float(correct_sums[number] / divisors[number]),
        )
        for number in range(num_bins)
    ]


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Returns the expected calibration error of `[N, C]` probabilities, of which `[N]` labels are right."""
    correct = probabilities.argmax(axis=1) == labels
    return expected_calibration_error(reliability(probabilities.max(axis=1), correct))


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """Returns the mean distance of accuracy from confidence, each bin weighted by its count.

    0 is a model that is right as often as it says. Of two predictions with confidence 0.9, one of
    them right, and two with 0.6, both right, it is (0.4 + 0.4) / 2 = 0.4.
    """
    total = sum(one.count for one in bins)
    if not total:
        return float("nan")
    return sum(one.count * abs(one.accuracy - one.confidence) for one in bins) / total


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Returns what the softmax would have given for its inputs divided by the temperature.

    Args:
      probabilities: `[N, C]` float.
      temperature: Above 1 makes the answers less sure, below 1 surer; the order of the classes stays,
        and `1 / temperature` takes it back.

    Returns:
      `[N, C]` of the same dtype; at 1 what came.
    """
    if temperature == 1.0:
        return probabilities
    logits = np.log(np.maximum(probabilities, LEAST_PROBABILITY)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(probabilities.dtype)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Returns the temperature of the least negative log likelihood, from `LOWEST` to `HIGHEST`.

    It is convex in 1 / T, so that the sign of its slope says on which side of any T the best one is.

    Args:
      probabilities: `[N, C]` float, N at least 1.
      labels: `[N]` int, the classes that are right.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), LEAST_PROBABILITY))
    logits -= logits.max(axis=1, keepdims=True)
    of_labels = logits[np.arange(len(labels)), labels].mean()
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(_HALVINGS):
        sharpness = (low + high) / 2
        powers = np.exp(logits * sharpness)
        expected = ((powers * logits).sum(axis=1) / powers.sum(axis=1)).mean()
        low, high = (sharpness, high) if expected < of_labels else (low, sharpness)
    return 2 / (low + high)
