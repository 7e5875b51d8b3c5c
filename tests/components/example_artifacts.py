"""Examples artifacts on disk, for tests of executors."""

import pathlib

import tensorflow as tf
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts

from emotion_pipeline.components import features
from emotion_pipeline.components.examples.example_proto import make_example
from emotion_pipeline.components.examples.splits import describe_examples
from emotion_pipeline.configs import BeamConfig
from emotion_pipeline.engines.arguments import beam_args as pipeline_beam_args
from tests.components.pictures import encode, noise

BEAM_ARGS = pipeline_beam_args(BeamConfig())


def beam_context(folder: pathlib.Path, beam_args: list[str] = BEAM_ARGS):
    """Returns what an executor needs to run a pipeline, in this process unless told otherwise."""
    return base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=beam_args, tmp_dir=str(folder / "tmp"), unique_id="1"
    )


def example(label: str, path: str, image: bytes) -> bytes:
    """Returns a serialised Example as ImageExampleGen writes it, with made-up numbers."""
    return make_example(
        {
            features.IMAGE_KEY: image,
            features.LABEL_KEY: label,
            features.PATH_KEY: path,
            features.WIDTH_KEY: 48,
            features.HEIGHT_KEY: 48,
            features.CHANNELS_KEY: 1,
            features.SIZE_BYTES_KEY: len(image),
            features.BRIGHTNESS_KEY: 0.5,
            features.CONTRAST_KEY: 0.25,
            features.SHARPNESS_KEY: 10.0,
            features.ENTROPY_KEY: 7.5,
        }
    )


def examples_of(counts: dict[str, int]) -> list[bytes]:
    """Returns Examples of different pictures, so many of each label."""
    return [
        example(label, f"{label}/{index}.jpg", encode(noise(1000 * number + index)))
        for number, (label, count) in enumerate(counts.items())
        for index in range(count)
    ]


def write_examples(
    folder: pathlib.Path, splits: dict[str, list[bytes]], shards: int = 1
) -> standard_artifacts.Examples:
    """Writes an Examples artifact, each split dealt out to so many files."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    describe_examples(artifact, splits)
    for split, records in splits.items():
        split_dir = folder / f"Split-{split}"
        split_dir.mkdir(parents=True)
        for shard in range(shards):
            path = split_dir / f"data_tfrecord-{shard:05d}-of-{shards:05d}"
            with tf.io.TFRecordWriter(str(path)) as writer:
                for record in records[shard::shards]:
                    writer.write(record)
    return artifact


def read_records(artifact, split: str) -> list[bytes]:
    """Returns the serialised Examples of a split, sorted."""
    files = sorted(str(path) for path in pathlib.Path(artifact.uri, f"Split-{split}").iterdir())
    return sorted(tf.data.TFRecordDataset(files).as_numpy_iterator())


def values(record: bytes) -> dict:
    """Returns the features of a serialised Example, each with its one value."""
    found = {}
    for key, feature in tf.train.Example.FromString(record).features.feature.items():
        (found[key],) = getattr(feature, feature.WhichOneof("kind")).value
    return found
