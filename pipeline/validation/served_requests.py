"""What a server was sent, against what the model was trained on."""

import collections
import dataclasses
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_data_validation as tfdv
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_serving.apis import prediction_log_pb2

from emotion_pipeline.components import features
from emotion_pipeline.components.constants import IMAGE_SIZE_PX, TRAIN_SPLIT
from emotion_pipeline.components.drift_validator.drift import Comparison, compare_skew
from emotion_pipeline.components.drift_validator.histograms import QUANTILES
from emotion_pipeline.components.drift_validator.statistics import check_comparable, load_statistics
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_ingest.find_files import find_files
from emotion_pipeline.components.image_ingest.measure import (
    MAX_IMAGE_BYTES,
    measure_image,
    measure_pixels,
)
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason

COMPARISON = "train_vs_requests"
IMAGE_INPUT = "image_bytes"
"""Name of the input of `serving_default` that takes encoded pictures."""

_LOG_SUFFIXES = (".tfrecord", ".tfrecords")
_COMPARED = (
    features.BRIGHTNESS_KEY,
    features.CONTRAST_KEY,
    features.SHARPNESS_KEY,
    features.ENTROPY_KEY,
)
"""What can be said of a picture without its label, whatever its size and its coding."""


@dataclasses.dataclass(frozen=True)
class Requests:
    """The numbers of the pictures that were sent.

    Attributes:
      table: A row for each usable picture, with brightness, contrast, sharpness and entropy.
      unusable: Reason -> number of pictures that could not be used.
    """

    table: pd.DataFrame
    unusable: dict[str, int]

    @property
    def counts(self) -> dict[str, Any]:
        """`found`, `kept`, `pruned` and `pruned_by_reason`, as for a split."""
        pruned = sum(self.unusable.values())
        return {
            "found": len(self.table) + pruned,
            "kept": len(self.table),
            "pruned": pruned,
            "pruned_by_reason": dict(sorted(self.unusable.items())),
        }


def measure_requests(pictures: Iterable[bytes | PruneReason]) -> Requests:
    """Measures pictures as the model sees them: gray, 48x48.

    Pictures of another size are brought to it by averaging; the model's own resampling is a little
    sharper. One picture is in memory at a time.

    Args:
      pictures: Encoded JPEG or PNG, or why there is none.
    """
    rows = []
    unusable: collections.Counter[str] = collections.Counter()
    for data in pictures:
        if isinstance(data, PruneReason):
            unusable[data.value] += 1
            continue
        measured = measure_image(data)
        if isinstance(measured, PruneReason):
            unusable[measured.value] += 1
            continue
        if (measured.width, measured.height) != (IMAGE_SIZE_PX, IMAGE_SIZE_PX):
            flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
            size = (IMAGE_SIZE_PX, IMAGE_SIZE_PX)
            measured = measure_pixels(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
        rows.append([getattr(measured, key) for key in _COMPARED])
    return Requests(pd.DataFrame(rows, columns=list(_COMPARED), dtype=np.float32), unusable)


def read_requests(source: pathlib.Path) -> Iterator[bytes | PruneReason]:
    """Yields the encoded pictures that were sent, or why a file is none.

    Args:
      source: A folder of pictures, of any names and however deep; or a TFRecord file of PredictionLog,
        or a folder of them (`*.tfrecord`), of which the Predict requests that have the input
        `image_bytes` are read.

    Raises:
      UserError: Nothing is there, or a file is no TFRecord of PredictionLog.
    """
    if source.is_file():
        yield from _read_log(source)
        return
    if not source.is_dir():
        raise UserError(f"{source}: no such file or folder. {_EXPECTED}")
    files = find_files(source)
    if not files:
        raise UserError(f"{source}: no files in it. {_EXPECTED}")
    for file in files:
        path = source / file.path
        if file.problem is not None:
            yield file.problem
        elif path.suffix in _LOG_SUFFIXES:
            yield from _read_log(path)
        elif file.bytes > MAX_IMAGE_BYTES:
            yield PruneReason.TOO_LARGE
        else:
            try:
                yield path.read_bytes()
            except OSError:
                yield PruneReason.UNREADABLE


def compare_requests(requests: Requests, against: str, schema: schema_pb2.Schema) -> Comparison:
    """Compares the pictures that were sent with the training data of a run.

    Args:
      requests: Their numbers.
      against: Folder or file of the run's statistics.
      schema: Its skew comparators of the four numbers are used.

    Raises:
      UserError: No picture is usable, or the statistics are not there or of another data set.
    """
    if requests.table.empty:
        raise UserError(f"none of {requests.counts['found']} pictures is usable. {_EXPECTED}")
    training = load_statistics(against)
    if TRAIN_SPLIT not in training:
        raise UserError(f"{against}: has no statistics of the split train to compare with")
    numbers = schema_pb2.Schema(
        feature=[feature for feature in schema.feature if feature.name in _COMPARED]
    )
    check_comparable({TRAIN_SPLIT: training[TRAIN_SPLIT]}, numbers, against)
    options = tfdv.StatsOptions(num_quantiles_histogram_buckets=QUANTILES)
    sent = tfdv.generate_statistics_from_dataframe(requests.table, options, n_jobs=1)
    return compare_skew(COMPARISON, training[TRAIN_SPLIT], sent, numbers)


def _read_log(file: pathlib.Path) -> Iterator[bytes]:
    log = prediction_log_pb2.PredictionLog()
    try:
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            log.ParseFromString(record)
            inputs = log.predict_log.request.inputs
            if IMAGE_INPUT in inputs:
                yield from inputs[IMAGE_INPUT].string_val
    except (tf.errors.DataLossError, DecodeError) as error:
        raise UserError(f"{file}: no TFRecord file of PredictionLog. {_EXPECTED}") from error


_EXPECTED = (
    "Give a folder of the pictures that were sent, or TFRecord files of PredictionLog (*.tfrecord)."
)
