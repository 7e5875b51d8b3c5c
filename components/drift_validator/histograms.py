"""Histograms of two sets of numbers over the same buckets, so that they can be compared.

TFDV gives each data set equally wide buckets between its own extremes, and compares them as if the
numbers were spread evenly within a bucket. Where most numbers lie close together, as the brightness
of FER2013's equalised faces does, that says more about the extremes than about the numbers: train
and eval, which hold the same mix of pictures, come out at 0.26 of at most 1.
"""

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

MIN_WIDTH = 0.2
"""Least width of a bucket as a share of the distance from the first to the last decile.

Ten buckets of equal content would tell differences of a quarter gray level in equalised pictures.
"""

QUANTILES = 100
"""How many quantiles the statistics should have; fewer serve, less exactly."""

_DECILES = np.arange(1, 10) / 10


def align_histograms(
    one: statistics_pb2.DatasetFeatureStatisticsList,
    other: statistics_pb2.DatasetFeatureStatisticsList,
) -> tuple[
    statistics_pb2.DatasetFeatureStatisticsList, statistics_pb2.DatasetFeatureStatisticsList
]:
    """Return copies of the statistics whose numeric features have histograms of the same buckets.

    The buckets lie between the deciles of `one`, those that are closer than `MIN_WIDTH` together;
    the first and the last reach to the extremes of both. Features of one side alone stay as they
    are.
    """
    result = (
        statistics_pb2.DatasetFeatureStatisticsList(),
        (statistics_pb2.DatasetFeatureStatisticsList()),
    )
    for copy, given in zip(result, (one, other), strict=True):
        copy.CopyFrom(given)
    first, second = (_numeric_features(statistics) for statistics in result)
    for name in first.keys() & second.keys():
        sides = first[name], second[name]
        distributions = [_distribution(side) for side in sides]
        if all(len(values) for values, _ in distributions):
            edges = _edges(*distributions)
            for side, distribution in zip(sides, distributions, strict=True):
                _replace_histogram(side, edges, distribution)
    return result


def _numeric_features(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
) -> dict[tuple[str, ...], statistics_pb2.NumericStatistics]:
    return {
        tuple(feature.path.step) or (feature.name,): feature.num_stats
        for dataset in statistics.datasets
        for feature in dataset.features
        if feature.HasField("num_stats")
    }


def _distribution(numbers: statistics_pb2.NumericStatistics) -> tuple[np.ndarray, np.ndarray]:
    """Return rising values and the share of the numbers up to each; empty without quantiles."""
    for histogram in numbers.histograms:
        if histogram.type == statistics_pb2.Histogram.QUANTILES and histogram.buckets:
            values = [histogram.buckets[0].low_value]
            values += [bucket.high_value for bucket in histogram.buckets]
            counts = [bucket.sample_count for bucket in histogram.buckets]
            shares = np.concatenate([[0.0], np.cumsum(counts) / np.sum(counts)])
            # Of a value that many pictures share, the share that includes them.
            unique, index = np.unique(values[::-1], return_index=True)
            return unique, shares[::-1][index]
    return np.array([]), np.array([])


def _edges(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> list[float]:
    values, shares = one
    deciles = np.interp(_DECILES, shares, values)
    least = MIN_WIDTH * (deciles[-1] - deciles[0])
    low = min(values[0], other[0][0])
    high = max(values[-1], other[0][-1])
    edges = [float(low)]
    inner: list[float] = []
    for decile in deciles:
        if decile > low and decile < high and (not inner or decile - inner[-1] >= least):
            inner.append(float(decile))
    return [*edges, *inner, float(high)]


def _replace_histogram(
    numbers: statistics_pb2.NumericStatistics,
    edges: list[float],
    distribution: tuple[np.ndarray, np.ndarray],
) -> None:
    values, shares = distribution
    count = sum(
        bucket.sample_count
        for histogram in numbers.histograms
        if histogram.type == statistics_pb2.Histogram.QUANTILES
        for bucket in histogram.buckets
    )
    below = np.interp(edges, values, shares, left=0.0, right=1.0)
    # What equals the lowest edge belongs into the first bucket.
    below[0] = 0.0
    for histogram in numbers.histograms:
        if histogram.type == statistics_pb2.Histogram.STANDARD:
            del histogram.buckets[:]
            for low, high, share in zip(edges, edges[1:], np.diff(below), strict=False):
                histogram.buckets.add(low_value=low, high_value=high, sample_count=share * count)
