"""Accuracy by what a picture is like: brightness, contrast, sharpness."""

import dataclasses

import numpy as np
import pandas as pd

from emotion_pipeline.components.predictions import Predictions
from emotion_pipeline.components.run_report.intervals import Interval, wilson

MEASURES = ("brightness", "contrast", "sharpness")
"""Columns of the manifest by which the pictures are sliced."""

NUM_SLICES = 5


@dataclasses.dataclass(frozen=True)
class Slice:
    """Pictures whose measure lies in [low, high].

    Attributes:
      low: The least measure among them.
      high: The greatest.
      images: How many they are.
      accuracy: The share of them that is answered rightly, with its interval (Wilson).
      interval: Of the accuracy.
      verdict: `lower` or `higher` where the accuracy of all pictures lies outside the interval; else empty.
    """

    low: float
    high: float
    images: int
    accuracy: float
    interval: Interval
    verdict: str


def slice_accuracy(table: pd.DataFrame, predictions: Predictions) -> dict[str, list[Slice]]:
    """Returns the accuracy in equally large slices by each measure, the lowest first.

    Args:
      table: The manifest's; it has the measures of the pictures by their path.
      predictions: The answers; those whose path has no measure are left out.

    Returns:
      By measure at most five slices; equal values are in one, so there may be fewer.
    """
    measured = table.set_index("path")[list(MEASURES)].reindex(predictions.paths)
    found = {}
    for name in MEASURES:
        values = measured[name].to_numpy(np.float64)
        known = ~np.isnan(values)
        if known.any():
            found[name] = cut(values[known], predictions.correct[known])
    return found


def cut(values: np.ndarray, correct: np.ndarray, num_slices: int = NUM_SLICES) -> list[Slice]:
    """Cuts pictures into slices of about equally many by a value.

    Args:
      values: `[N]` float.
      correct: `[N]` bool, whether the answer is right.
      num_slices: The most slices.
    """
    inner = np.quantile(values, np.arange(1, num_slices) / num_slices)
    places = np.searchsorted(np.unique(inner), values, side="right")
    overall = float(correct.mean())
    slices = []
    for place in np.unique(places):
        here = places == place
        hits, images = int(correct[here].sum()), int(here.sum())
        interval = wilson(hits, images)
        verdict = "lower" if interval.high < overall else "higher" if interval.low > overall else ""
        slices.append(
            Slice(
                low=float(values[here].min()),
                high=float(values[here].max()),
                images=images,
                accuracy=hits / images,
                interval=interval,
                verdict=verdict,
            )
        )
    return slices
