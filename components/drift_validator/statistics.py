"""Reads the statistics that TFX and TFDV write."""

import hashlib
import os
import pathlib

import google.protobuf.message
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from emotion_pipeline.components.constants import ALL_SPLITS, TRAIN_SPLIT
from emotion_pipeline.components.counted import first_few
from emotion_pipeline.components.errors import UserError

STATISTICS_FILE = "FeatureStats.pb"

_NAMED = 8


def load_statistics(
    uri: str | os.PathLike,
) -> dict[str, statistics_pb2.DatasetFeatureStatisticsList]:
    """Returns split -> statistics of an ExampleStatistics folder, or of one file, taken for train's.

    Raises:
      UserError: Nothing is there, or it is no statistics.
    """
    found = {}
    for split, file in _files(uri).items():
        statistics = statistics_pb2.DatasetFeatureStatisticsList()
        try:
            statistics.ParseFromString(file.read_bytes())
        except google.protobuf.message.DecodeError as error:
            raise UserError(f"{file}: no statistics of TFDV. {_EXPECTED}") from error
        if len(statistics.datasets) > 1:
            raise UserError(
                f"{file}: holds statistics of {len(statistics.datasets)} data sets, expected one. "
                + _EXPECTED
            )
        found[split] = statistics
    return found


def fingerprint_statistics(uri: str | os.PathLike) -> str:
    """Returns a hash of the content of the statistics that `load_statistics` reads."""
    digest = hashlib.sha256()
    for split, file in sorted(_files(uri).items()):
        digest.update(split.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def check_comparable(
    statistics: dict[str, statistics_pb2.DatasetFeatureStatisticsList],
    schema: schema_pb2.Schema,
    name: str,
) -> None:
    """Raises UserError where the statistics lack a feature that the schema has a comparator for.

    Args:
      statistics: Split -> statistics.
      schema: The schema.
      name: What the user called the statistics.
    """
    compared = {
        feature.name
        for feature in schema.feature
        if feature.HasField("skew_comparator") or feature.HasField("drift_comparator")
    }
    for split, found in statistics.items():
        known = [
            ".".join(feature.path.step) or feature.name
            for dataset in found.datasets
            for feature in dataset.features
        ]
        missing = sorted(compared - set(known))
        if missing:
            shown = first_few(sorted(known), _NAMED) or "none"
            raise UserError(
                f"{name}: statistics of another data set: its split {split} has the features "
                f"{shown}, and lacks {', '.join(missing)}. Give a run of this pipeline, or "
                "statistics of one."
            )


def count_images(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> int:
    """Returns the number of images; TFDV leaves the data set out where there are none."""
    return int(sum(dataset.num_examples for dataset in statistics.datasets))


_EXPECTED = (
    "Give the root of a run, the folder of its statistics (with Split-train/FeatureStats.pb), or "
    "one FeatureStats.pb."
)


def _files(uri: str | os.PathLike) -> dict[str, pathlib.Path]:
    path = pathlib.Path(uri)
    if path.is_file():
        return {TRAIN_SPLIT: path}
    files = {split: path / f"Split-{split}" / STATISTICS_FILE for split in ALL_SPLITS}
    found = {split: file for split, file in files.items() if file.is_file()}
    if not found:
        raise UserError(f"{uri}: no statistics there. {_EXPECTED}")
    return found
