"""How far two sets of pictures are apart, by the comparators of the schema."""

import dataclasses
import json
import math
import os
import pathlib

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

from emotion_pipeline.components.constants import ALL_SPLITS, EVAL_SPLIT, TEST_SPLIT, TRAIN_SPLIT
from emotion_pipeline.components.drift_validator.histograms import align_histograms
from emotion_pipeline.components.drift_validator.statistics import count_images

DRIFT_FILE = "drift.json"

MIN_IMAGES = 30
"""Sides with fewer images are not compared: next to nothing can be said of them."""

L_INFTY_CHANCE = 1.75
"""Times sqrt(1/n + 1/m): what the largest difference of a share stays under by chance.

A share of n images has a standard deviation of at most 0.5 / sqrt(n); this is 3.5 of them, which
with seven classes is passed three times in a thousand.
"""

JENSEN_SHANNON_CHANCE = 5.34
"""Times 1/n + 1/m: what the divergence, in bits, of eleven buckets or fewer stays under by chance.

Of samples from one distribution, 8 ln(2) times the divergence over 1/n + 1/m is about chi-squared
with one degree of freedom less than buckets (Lin, "Divergence Measures Based on the Shannon
Entropy", 1991, gives the expansion). Its 99.9th percentile for ten degrees is 29.6.
`benchmarks/data/drift.py` draws samples to see it hold.
"""

TRAIN_VS_EVAL = "train_vs_eval"
TRAIN_VS_TEST = "train_vs_test"
BASELINE_SUFFIX = "_vs_baseline"

_CHANCE = {
    anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY: lambda n, m: (
        L_INFTY_CHANCE * math.sqrt(1 / n + 1 / m)
    ),
    anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE: lambda n, m: (
        JENSEN_SHANNON_CHANCE * (1 / n + 1 / m)
    ),
}

_EXCEEDED = (
    anomalies_pb2.AnomalyInfo.Type.COMPARATOR_L_INFTY_HIGH,
    anomalies_pb2.AnomalyInfo.Type.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
)


@dataclasses.dataclass(frozen=True)
class Measurement:
    """The distance of one feature; see the package for the fields."""

    feature: str
    measure: str
    value: float
    threshold: float
    chance: float
    exceeded: bool
    short_description: str = ""
    long_description: str = ""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The distances between two sets of pictures; see the package for the fields."""

    comparison: str
    images: tuple[int, int]
    compared: bool
    measurements: tuple[Measurement, ...] = ()


def compare_splits(
    statistics: dict[str, DatasetFeatureStatisticsList],
    baseline: dict[str, DatasetFeatureStatisticsList],
    schema: schema_pb2.Schema,
    min_images: int = MIN_IMAGES,
) -> list[Comparison]:
    """Returns the comparison of train with eval and test, and of each split with the baseline's.

    Args:
      statistics: Split -> its statistics.
      baseline: The same of an earlier run; empty where there is none to compare with.
      schema: Its skew comparators are for train and eval, its drift comparators for the baseline.
      min_images: Smaller splits are not compared.
    """
    comparisons = [
        compare_skew(
            TRAIN_VS_EVAL, statistics[TRAIN_SPLIT], statistics[EVAL_SPLIT], schema, min_images
        )
    ]
    if TEST_SPLIT in statistics:
        comparisons.append(
            compare_skew(
                TRAIN_VS_TEST, statistics[TRAIN_SPLIT], statistics[TEST_SPLIT], schema, min_images
            )
        )
    for split in ALL_SPLITS:
        if split in baseline and split in statistics:
            comparisons.append(
                _compare(
                    split + BASELINE_SUFFIX,
                    statistics[split],
                    baseline[split],
                    schema,
                    min_images,
                    skew=False,
                )
            )
    return comparisons


def compare_skew(
    comparison: str,
    training: DatasetFeatureStatisticsList,
    other: DatasetFeatureStatisticsList,
    schema: schema_pb2.Schema,
    min_images: int = MIN_IMAGES,
) -> Comparison:
    """Returns the distances of training pictures to pictures of another origin.

    Args:
      comparison: Its name.
      training: Statistics of the train split.
      other: Statistics of the eval split, or of the pictures that a server was sent.
      schema: Its skew comparators say which features are compared, how, and the threshold.
      min_images: Where either side has fewer, nothing is compared.
    """
    return _compare(comparison, training, other, schema, min_images, skew=True)


def write_drift(comparisons: list[Comparison], uri: str | os.PathLike) -> None:
    """Writes `drift.json` into the folder `uri`, made if need be."""
    folder = pathlib.Path(uri)
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps([dataclasses.asdict(one) for one in comparisons], indent=1)
    (folder / DRIFT_FILE).write_text(content + "\n", encoding="utf-8")


def read_drift(uri: str | os.PathLike) -> list[Comparison]:
    """Reads what `write_drift` wrote into the folder `uri`."""
    content = json.loads((pathlib.Path(uri) / DRIFT_FILE).read_text(encoding="utf-8"))
    return [
        Comparison(
            comparison=entry["comparison"],
            images=tuple(entry["images"]),
            compared=entry["compared"],
            measurements=tuple(Measurement(**one) for one in entry["measurements"]),
        )
        for entry in content
    ]


def _compare(
    comparison: str,
    one: DatasetFeatureStatisticsList,
    other: DatasetFeatureStatisticsList,
    schema: schema_pb2.Schema,
    min_images: int,
    *,
    skew: bool,
) -> Comparison:
    images = (count_images(one), count_images(other))
    if min(images) < min_images:
        return Comparison(comparison, images, compared=False)
    one, other = align_histograms(one, other)
    found = tfdv.validate_statistics(
        one,
        schema,
        serving_statistics=other if skew else None,
        previous_statistics=None if skew else other,
    )
    measurements = []
    for info in found.drift_skew_info:
        [feature] = info.path.step
        for measured in info.skew_measurements if skew else info.drift_measurements:
            reasons = [
                reason for reason in found.anomaly_info[feature].reason if reason.type in _EXCEEDED
            ]
            chance = _CHANCE[measured.type](*images)
            exceeded = measured.value > max(measured.threshold, chance)
            measurements.append(
                Measurement(
                    feature=feature,
                    measure=anomalies_pb2.DriftSkewInfo.Measurement.Type.Name(measured.type),
                    value=measured.value,
                    threshold=measured.threshold,
                    chance=chance,
                    exceeded=exceeded,
                    short_description=reasons[0].short_description if exceeded else "",
                    long_description=reasons[0].description if exceeded else "",
                )
            )
    measurements.sort(key=lambda measured: measured.feature)
    return Comparison(comparison, images, compared=True, measurements=tuple(measurements))
