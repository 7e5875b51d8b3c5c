"""How far a measured accuracy may be off."""

import dataclasses
import math

import numpy as np

DRAWS = 2000
LEVEL = 0.95
_Z = 1.959964
"""Of the normal distribution's middle 95 %."""

_CHUNK_CELLS = 2_000_000


@dataclasses.dataclass(frozen=True)
class Interval:
    """The bounds of a 95 % interval."""

    low: float
    high: float


def bootstrap(confusion: np.ndarray, seed: int, draws: int = DRAWS) -> tuple[Interval, Interval]:
    """Resamples the images with replacement and takes the percentiles of accuracy and macro F1.

    Both depend on the images by their counts in the confusion matrix alone, and the counts of N
    images drawn with replacement are multinomial: they are drawn directly, which gives the same
    distribution as drawing images and takes memory for neither images nor indices.

    Args:
      confusion: `[C, C]` counts, `[actual, predicted]`.
      seed: The same seed and counts give the same intervals.
      draws: Number of resamples.

    Returns:
      The percentile intervals (Efron 1981) of accuracy and macro F1. They say how much a figure
      would vary over other eval splits of this size, and not over other trainings; a figure of
      exactly 0 or 1 has no spread to resample.

    Raises:
      ValueError: There are no images.
    """
    counts = np.asarray(confusion, np.int64)
    size, total = len(counts), int(counts.sum())
    if not total:
        raise ValueError("confusion: holds no images")
    rng = np.random.default_rng(seed)
    shares = counts.ravel() / total
    chunk = max(_CHUNK_CELLS // counts.size, 1)
    accuracies, scores = [], []
    for first in range(0, draws, chunk):
        drawn = rng.multinomial(total, shares, size=min(chunk, draws - first))
        drawn = drawn.reshape(-1, size, size)
        hits = np.diagonal(drawn, axis1=1, axis2=2)
        actual_and_predicted = drawn.sum(axis=2) + drawn.sum(axis=1)
        accuracies.append(hits.sum(axis=1) / total)
        with np.errstate(invalid="ignore"):
            # NaN for a class that a resample left out: it has no F1.
            scores.append(np.nanmean(2 * hits / actual_and_predicted, axis=1))
    return _interval(np.concatenate(accuracies)), _interval(np.concatenate(scores))


def _interval(values: np.ndarray) -> Interval:
    low, high = np.percentile(values, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return Interval(float(low), float(high))


def wilson(hits: int, total: int) -> Interval:
    """Returns the score interval of a share (Wilson 1927), which holds for few images, and at 0 and 1.

    Example:
      >>> [round(wilson(4, 4).low, 3), round(wilson(4, 4).high, 3)]
      [0.51, 1.0]
      >>> wilson(0, 0)
      Interval(low=0.0, high=1.0)
    """
    if not total:
        return Interval(0.0, 1.0)
    share, z2 = hits / total, _Z * _Z
    middle = share + z2 / (2 * total)
    half = _Z * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    below = 1 + z2 / total
    return Interval(max((middle - half) / below, 0.0), min((middle + half) / below, 1.0))
