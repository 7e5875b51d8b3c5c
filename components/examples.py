"""Reading, writing and describing the pipeline's `tf.Example`s."""

import os
from collections.abc import Iterable, Mapping

import apache_beam as beam
import tensorflow as tf
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts

FILE_NAME = "data_tfrecord"
FILE_SUFFIX = ".gz"


def example_feature(value: bytes | str | int | float) -> tf.train.Feature:
    """Wraps one value; str is written as UTF-8."""
    if isinstance(value, str):
        value = value.encode("utf-8")
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def make_example(features: Mapping[str, bytes | str | int | float]) -> bytes:
    """Returns a serialised `tf.Example` of scalar features, the same bytes for the same features."""
    example = tf.train.Example()
    for key, value in features.items():
        example.features.feature[key].CopyFrom(example_feature(value))
    return example.SerializeToString(deterministic=True)


def describe_examples(
    artifact: standard_artifacts.Examples, splits: Iterable[str]
) -> standard_artifacts.Examples:
    """Records in an Examples artifact which splits it has, and that they hold `tf.Example`s."""
    artifact.split_names = artifact_utils.encode_split_names(list(splits))
    examples_utils.set_payload_format(artifact, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
    return artifact


def split_pattern(artifact: standard_artifacts.Examples, split: str) -> str:
    """Returns the file pattern of one split.

    Raises:
      ValueError: The artifact has no such split.
    """
    return os.path.join(artifact_utils.get_split_uri([artifact], split), "*")


def write_split(artifact: standard_artifacts.Examples, split: str) -> beam.PTransform:
    """Returns the transform that writes serialised Examples as gzip TFRecords of one split."""
    prefix = os.path.join(artifact_utils.get_split_uri([artifact], split), FILE_NAME)
    return beam.io.WriteToTFRecord(prefix, file_name_suffix=FILE_SUFFIX)
