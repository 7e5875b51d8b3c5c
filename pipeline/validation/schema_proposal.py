"""Proposes a schema from statistics."""

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import (
    DatasetFeatureStatistics,
    DatasetFeatureStatisticsList,
    FeatureNameStatistics,
)

from emotion_pipeline.components import features
from emotion_pipeline.components.constants import TRAIN_SPLIT
from emotion_pipeline.components.drift_validator.statistics import count_images

_MAX_LABELS = 1000

_OBSERVED_KEYS = (features.WIDTH_KEY, features.HEIGHT_KEY, features.CHANNELS_KEY)
"""Whole numbers of which what was seen is also what may be."""


def propose_schema(
    statistics: dict[str, DatasetFeatureStatisticsList], curated: schema_pb2.Schema
) -> schema_pb2.Schema:
    """Returns a schema that both splits fit, to be reviewed by a person.

    TFDV infers types, presence and shape, and the classes from both splits. Widths, heights and
    channels may be what was seen. What no data can tell is the curated schema's: that the image is
    an image, the bounds of the other numbers, and the comparators.

    Args:
      statistics: Of train, which is not empty, and eval.
      curated: The schema to take the rest from.
    """
    seen = [split for split in statistics.values() if count_images(split)]
    schema = tfdv.infer_schema(statistics[TRAIN_SPLIT], max_string_domain_size=_MAX_LABELS)
    known = {feature.name: feature for feature in curated.feature}
    for feature in schema.feature:
        if feature.name != features.LABEL_KEY:
            feature.ClearField("domain_info")
            for field in ("domain", "string_domain", "int_domain", "float_domain"):
                feature.ClearField(field)
        if feature.name in known:
            _take_over(feature, known[feature.name])
        if feature.name in _OBSERVED_KEYS:
            numbers = [_feature(split, feature.name).num_stats for split in seen]
            feature.int_domain.min = int(min(one.min for one in numbers))
            feature.int_domain.max = int(max(one.max for one in numbers))
    labels = sorted({label for split in seen for label in _values(split)})
    del schema.string_domain[:]
    schema.string_domain.add(name=features.LABEL_KEY, value=labels)
    label = next(one for one in schema.feature if one.name == features.LABEL_KEY)
    label.domain = features.LABEL_KEY
    label.unique_constraints.min = label.unique_constraints.max = len(labels)
    schema.dataset_constraints.CopyFrom(curated.dataset_constraints)
    return schema


def format_proposal(
    schema: schema_pb2.Schema, statistics: dict[str, DatasetFeatureStatisticsList], source: str
) -> str:
    """Returns a proposed schema as text, headed by what was seen."""
    counts = {split: count_images(one) for split, one in statistics.items()}
    lines = [
        f"# Proposed by `emotion schema infer` from {source}, of "
        + " and ".join(f"{count} {split} images" for split, count in counts.items())
        + ".",
        "# Review it before it is used: it takes for right what was seen.",
        "#",
    ]
    for feature in _dataset(statistics[TRAIN_SPLIT]).features:
        if feature.HasField("num_stats"):
            numbers = feature.num_stats
            name = ".".join(feature.path.step)
            lines.append(
                f"# train {name}: {numbers.min:g} to {numbers.max:g}, mean {numbers.mean:g}"
            )
    return "\n".join(lines) + "\n\n" + text_format.MessageToString(schema)


def _take_over(feature: schema_pb2.Feature, curated: schema_pb2.Feature) -> None:
    for field in (
        "image_domain",
        "int_domain",
        "float_domain",
        "skew_comparator",
        "drift_comparator",
    ):
        if curated.HasField(field):
            getattr(feature, field).CopyFrom(getattr(curated, field))


def _dataset(statistics: DatasetFeatureStatisticsList) -> DatasetFeatureStatistics:
    return statistics.datasets[0]


def _feature(statistics: DatasetFeatureStatisticsList, name: str) -> FeatureNameStatistics:
    return next(one for one in _dataset(statistics).features if list(one.path.step) == [name])


def _values(statistics: DatasetFeatureStatisticsList) -> list[str]:
    label = _feature(statistics, features.LABEL_KEY)
    return [bucket.label for bucket in label.string_stats.rank_histogram.buckets]
