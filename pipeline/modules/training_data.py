"""The splits as arrays of bytes, and the batches of an epoch."""

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.features import (
    COPY_INDEX_KEY,
    IMAGE_KEY,
    LABEL_KEY,
    PATH_KEY,
    VOTES_KEY,
    VOTES_OTHER_KEY,
    transformed_key,
)
from emotion_pipeline.modules.augment import augment, mix
from emotion_pipeline.modules.normalize import normalize
from emotion_pipeline.modules.teachers import Teachers, soften
from emotion_pipeline.train_config import TrainConfig

as_written = tf.autograph.experimental.do_not_convert
"""No branch and no loop of these functions hangs on a tensor, and AutoGraph would parse and write anew the source
of all that they call, TFT's layer and `tf_keras` included."""

_DECODE_BATCH = 512
_MIX = 1  # Keeps the draws of the mixing apart from those of the augmentation.


@dataclasses.dataclass(frozen=True)
class Split:
    """One split, decoded once and held as bytes, in an order that depends on its content alone.

    Attributes:
      pixels: `[N, 48, 48, 1]` uint8 in [0, 255].
      labels: `[N]` int64 indices.
      is_copy: `[N]` bool, true for the translated copies.
      votes: `[N, C + 1]` float32: people's votes for each class and, last, for none of them; a row of
        zeros for a picture without votes. `[N, 0]` where no picture has any.
      paths: `[N]` bytes, of the pictures, relative to the data set's root; a copy has its picture's.
    """

    pixels: np.ndarray
    labels: np.ndarray
    is_copy: np.ndarray
    votes: np.ndarray = dataclasses.field(default=None)  # type: ignore[arg-type]
    paths: np.ndarray = dataclasses.field(default=None)  # type: ignore[arg-type]

    def __post_init__(self):
        """Makes the votes those of no picture, and the paths empty, where none are given."""
        if self.votes is None:
            object.__setattr__(self, "votes", np.zeros((len(self.labels), 0), np.float32))
        if self.paths is None:
            object.__setattr__(self, "paths", np.full(len(self.labels), b"", object))

    def __len__(self) -> int:
        return len(self.labels)

    def originals(self) -> "Split":
        """Returns the split without the translated copies."""
        return self.select(~self.is_copy)

    def select(self, keep: np.ndarray) -> "Split":
        """Returns the pictures of a `[N]` bool mask, or of indices."""
        return Split(*(column[keep] for column in vars(self).values()))

    def fingerprint(self) -> str:
        """Returns 16 hex digits over pixels and labels, and over the votes where there are any."""
        digest = hashlib.sha256(self.pixels.tobytes())
        digest.update(self.labels.tobytes())
        if self.votes.size:
            digest.update(self.votes.tobytes())
        return digest.hexdigest()[:16]


def load_split(file_pattern: list[str], transform_output: tft.TFTransformOutput) -> Split:
    """Reads raw Examples, applies the transform graph, and sorts by path and number of the copy.

    Args:
      file_pattern: Glob patterns of TFRecord files.
      transform_output: The transform graph.

    Raises:
      ValueError: There are no Examples, a label is unknown, or the graph's output is not what the
        network takes.
    """
    raw_spec = transform_output.raw_feature_spec()
    spec = {key: raw_spec[key] for key in (IMAGE_KEY, LABEL_KEY)}
    spec[PATH_KEY] = tf.io.FixedLenFeature([], tf.string)
    spec[COPY_INDEX_KEY] = tf.io.FixedLenFeature([], tf.int64, default_value=0)
    spec[VOTES_KEY] = tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
    spec[VOTES_OTHER_KEY] = tf.io.FixedLenFeature([], tf.float32, default_value=0.0)
    transform_layer = transform_output.transform_features_layer()

    @as_written
    def transform(serialized):
        raw = tf.io.parse_example(serialized, spec)
        xf = transform_layer({key: raw[key] for key in (IMAGE_KEY, LABEL_KEY)})
        pixels = xf[transformed_key(IMAGE_KEY)]
        if pixels.dtype != tf.float32 or pixels.shape.rank != 4:
            raise ValueError(f"Transform gives images of {pixels.dtype} {pixels.shape}")
        # Transform divides bytes by 255, so this gives the same bytes back.
        as_bytes = tf.cast(tf.round(pixels * 255.0), tf.uint8)
        label = tf.reshape(xf[transformed_key(LABEL_KEY)], [-1])
        votes = raw[VOTES_KEY], raw[VOTES_OTHER_KEY]
        return as_bytes, label, raw[PATH_KEY], raw[COPY_INDEX_KEY], *votes

    files = sorted(path for pattern in file_pattern for path in tf.io.gfile.glob(pattern))
    batches = (
        tf.data.TFRecordDataset(files)
        .batch(_DECODE_BATCH)
        .map(transform, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(2)
    )
    columns = list(zip(*batches.as_numpy_iterator(), strict=True))
    if not columns:
        raise ValueError(f"no Examples in {file_pattern}")
    *columns, votes_by_class, votes_other = columns
    votes = _join_votes(votes_by_class, votes_other)
    pixels, labels, paths, copies = (np.concatenate(column) for column in columns)
    if labels.min() < 0:
        unknown = paths[labels < 0]
        raise ValueError(
            f"{len(unknown)} Examples have a label that is not among the class names, the first is "
            f"{unknown[0].decode()!r}"
        )
    order = np.lexsort((copies, paths))
    return Split(pixels[order], labels[order], copies[order] > 0, votes[order], paths[order])


def _join_votes(by_class: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> np.ndarray:
    """Returns `[N, C + 1]` of batches `[B, C]` and `[B]`; a batch without votes is `[B, 0]`."""
    num_classes = max(batch.shape[1] for batch in by_class)
    padded = [np.pad(one, ((0, 0), (0, num_classes - one.shape[1]))) for one in by_class]
    votes = np.column_stack([np.concatenate(padded), np.concatenate(other)])
    return votes if num_classes else votes[:, :0]


def network_input(as_bytes: tf.Tensor, config: TrainConfig) -> tf.Tensor:
    """Turns `[N, 48, 48, 1]` uint8 pixels into what the network sees of them unchanged, in [0, 1]."""
    return normalize(tf.cast(as_bytes, tf.float32) / 255.0, config.normalize)


def label_targets(split: Split, num_classes: int, config: TrainConfig) -> np.ndarray:
    """Returns what is to be learned of each picture: `[N, C]` float32 that sum to 1.

    Args:
      split: The pictures.
      num_classes: C.
      config: Its `label_source` is `folder`, the label alone; `votes`, the shares of the votes for the
        classes, and the label where nobody voted for one; or `both`, of which `folder_share` is the
        label's.

    Raises:
      UserError: Votes are asked for, and there are none.
    """
    one_hot = np.eye(num_classes, dtype=np.float32)[split.labels]
    if config.label_source == "folder":
        return one_hot
    if not split.votes.any():
        raise UserError(
            f"train.label_source: is {config.label_source}, and no picture of train has votes"
        )
    votes = split.votes[:, :num_classes]
    total = votes.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, votes / np.maximum(total, 1e-9), one_hot).astype(np.float32)
    share = config.folder_share if config.label_source == "both" else 0.0
    return (share * one_hot + (1 - share) * shares).astype(np.float32)


def class_weights(labels: np.ndarray, num_classes: int, power: float) -> np.ndarray:
    """Returns the weight of each class, `[C]` float64, with a mean of 1 over the images.

    Args:
      labels: Class indices, int, [N].
      num_classes: How many classes there are; one without images gets the weight of one image.
      power: The weights are as the class sizes to the power of -`power`.
    """
    counts = np.bincount(labels, minlength=num_classes)
    weights = np.maximum(counts, 1).astype(float) ** -power
    weights *= len(labels) / (counts @ weights)
    return weights


def eval_batches(
    split: Split, num_classes: int, config: TrainConfig, batch_size: int = 256
) -> tf.data.Dataset:
    """Returns `(pixels, one_hot)` batches in the split's order: the network's input and `[B, C]`."""

    @as_written
    def prepare(pixels, labels):
        return network_input(pixels, config), tf.one_hot(labels, num_classes)

    dataset = tf.data.Dataset.from_tensor_slices((split.pixels, split.labels))
    return dataset.batch(batch_size).map(prepare, tf.data.AUTOTUNE).prefetch(2)


class EpochBatches:
    """Makes the shuffled, augmented batches of any epoch, the same for the same seed and number."""

    def __init__(
        self,
        split: Split,
        num_classes: int,
        config: TrainConfig,
        seed: int,
        teachers: Teachers | None = None,
    ):
        """Holds the split in TensorFlow's memory, once for all epochs."""
        self._pixels = tf.constant(split.pixels)
        self._targets = tf.constant(label_targets(split, num_classes, config))
        power = config.class_weight_power
        weights = class_weights(split.labels, num_classes, power)[split.labels] if power else None
        self._weights = None if weights is None else tf.constant(weights, tf.float32)
        self._config = config
        self._seed = seed
        self._teachers = teachers

    @property
    def steps(self) -> int:
        """Batches an epoch; the last may be smaller."""
        return -(-len(self._targets) // self._config.batch_size)

    def epoch(self, number: int) -> tf.data.Dataset:
        """Returns the batches of one epoch, counted from 0: `(pixels, targets)` or those and weights.

        Targets are `[B, C]` labels that sum to 1; with teachers their softened answers follow them,
        `[B, 2C]`. Weights, `[B]`, are there where classes are weighed.
        """
        order = np.random.default_rng([self._seed, number]).permutation(len(self._targets))

        @as_written
        def prepare(step, indices):
            pixels = tf.cast(tf.gather(self._pixels, indices), tf.float32) / 255.0
            seed = tf.stack([self._seed, number * self.steps + tf.cast(step, tf.int32)])
            pixels = augment(pixels, self._config, seed)
            targets = tf.gather(self._targets, indices)
            if self._config.mixup:
                mix_seed = tf.random.experimental.stateless_fold_in(seed, _MIX)
                pixels, targets = mix(pixels, targets, self._config.mixup, mix_seed)
            if self._teachers is not None:
                # They are asked for the very picture that the network sees, and normalise it their way.
                answers = soften(self._teachers(pixels), self._config.teacher_temperature)
                targets = tf.concat([targets, answers], axis=1)
            seen = normalize(pixels, self._config.normalize)
            if self._weights is None:
                return seen, targets
            return seen, targets, tf.gather(self._weights, indices)

        batches = tf.data.Dataset.from_tensor_slices(order).batch(self._config.batch_size)
        return batches.enumerate().map(prepare, tf.data.AUTOTUNE).prefetch(4)
