"""Whether a model is right as often as it says: reliability bins and their mean error."""

import dataclasses

import numpy as np

NUM_BINS = 15
"""Bins of equal width over [0, 1], as in Guo et al., "On Calibration of Modern Neural Networks"
(2017), section 4."""


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


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """Returns the mean distance of accuracy from confidence, each bin weighted by its count.

    0 is a model that is right as often as it says. Of two predictions with confidence 0.9, one of
    them right, and two with 0.6, both right, it is (0.4 + 0.4) / 2 = 0.4.
    """
    total = sum(one.count for one in bins)
    if not total:
        return float("nan")
    return sum(one.count * abs(one.accuracy - one.confidence) for one in bins) / total
