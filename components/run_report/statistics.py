"""TFDV's statistics as rows and histograms that a page can show."""

import dataclasses
import os
from collections.abc import Iterable, Mapping

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2

STATISTICS_FILE = "FeatureStats.pb"
MAX_VALUES = 20
"""Values of a text feature that are listed; the rest is counted together."""


@dataclasses.dataclass(frozen=True)
class Histogram:
    """Shares of the values that fall between edges.

    Attributes:
      edges: B + 1 rising numbers.
      densities: B shares, each divided by the width of its bin: the area under them is 1.
    """

    edges: tuple[float, ...]
    densities: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class SplitStatistics:
    """What TFDV measured of one feature in one split.

    Attributes:
      count: Examples that have the feature.
      missing: Examples that lack it.
      mean, std_dev, min, median, max: Of a number; None for other types. Of encoded pictures mean,
        min and max are of their length in bytes.
      unique: Number of different texts; None for other types.
      histogram: Of a number; None where all values are the same, and for other types.
      values: Of a text: `(value, share of the Examples that have the feature)`, the most frequent
        first, at most 20.
    """

    count: int
    missing: int
    mean: float | None = None
    std_dev: float | None = None
    min: float | None = None
    median: float | None = None
    max: float | None = None
    unique: int | None = None
    histogram: Histogram | None = None
    values: tuple[tuple[str, float], ...] = ()


def read_statistics(uri: str, splits: Iterable[str]) -> dict[str, dict[str, SplitStatistics]]:
    """Reads an ExampleStatistics artifact; see `summarize_statistics` for what comes back."""
    lists = {
        split: tfdv.load_stats_binary(os.path.join(uri, f"Split-{split}", STATISTICS_FILE))
        for split in splits
    }
    return summarize_statistics(lists)


def summarize_statistics(
    statistics: Mapping[str, statistics_pb2.DatasetFeatureStatisticsList],
) -> dict[str, dict[str, SplitStatistics]]:
    """Returns the statistics by feature and then by split.

    Args:
      statistics: TFDV's statistics of each split, without slices.
    """
    features: dict[str, dict[str, SplitStatistics]] = {}
    for split, listed in statistics.items():
        for dataset in listed.datasets[:1]:
            for feature in dataset.features:
                name = ".".join(feature.path.step) or feature.name
                features.setdefault(name, {})[split] = _summarize(feature)
    return dict(sorted(features.items()))


def _summarize(feature: statistics_pb2.FeatureNameStatistics) -> SplitStatistics:
    kind = feature.WhichOneof("stats")
    if kind is None:
        return SplitStatistics(0, 0)
    stats = getattr(feature, kind)
    count = int(stats.common_stats.num_non_missing)
    missing = int(stats.common_stats.num_missing)
    if kind == "num_stats":
        return SplitStatistics(
            count=count,
            missing=missing,
            mean=stats.mean,
            std_dev=stats.std_dev,
            min=stats.min,
            median=stats.median,
            max=stats.max,
            histogram=_histogram(stats.histograms),
        )
    if kind == "string_stats":
        buckets = stats.rank_histogram.buckets[:MAX_VALUES]
        return SplitStatistics(
            count=count,
            missing=missing,
            unique=int(stats.unique),
            values=tuple((one.label, one.sample_count / max(count, 1)) for one in buckets),
        )
    if kind == "bytes_stats":
        return SplitStatistics(
            count=count,
            missing=missing,
            mean=stats.avg_num_bytes,
            min=stats.min_num_bytes,
            max=stats.max_num_bytes,
        )
    return SplitStatistics(count, missing)


def _histogram(histograms: Iterable[statistics_pb2.Histogram]) -> Histogram | None:
    for histogram in histograms:
        if histogram.type == statistics_pb2.Histogram.STANDARD:
            return densities(
                [(b.low_value, b.high_value, b.sample_count) for b in histogram.buckets]
            )
    return None


def densities(buckets: Iterable[tuple[float, float, float]]) -> Histogram | None:
    """Turns counted buckets into densities, which two splits of different size and range can share.

    Args:
      buckets: `(low, high, count)`, each beginning where the one before ends.

    Returns:
      The histogram, or None where no bucket has both width and counts.
      `densities([(0, 2, 1), (2, 4, 3)])` has the edges (0, 2, 4) and the densities (0.125, 0.375).
    """
    wide = [(low, high, count) for low, high, count in buckets if high > low]
    total = sum(count for _, _, count in wide)
    if not total:
        return None
    return Histogram(
        edges=(*(low for low, _, _ in wide), wide[-1][1]),
        densities=tuple(count / total / (high - low) for low, high, count in wide),
    )
