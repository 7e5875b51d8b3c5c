"""What a model says of a split: the probabilities of each picture."""

import dataclasses
import os

import numpy as np
import tensorflow as tf

from emotion_pipeline.components import features

CLASSIFY_SIGNATURE = "classify"
_BATCH = 256


@dataclasses.dataclass(frozen=True)
class Predictions:
    """The answers of a model on a split of N images.

    Attributes:
      class_names: The C names in the order of the outputs.
      labels: `[N]` int64 indices.
      probabilities: `[N, C]` float32.
      votes: `[N, C + 1]` float32, people's votes for each class and, last, for none of them; zeros for
        an image without.
      paths: `[N]` text, of the pictures, relative to the data set's root; no two are alike.
    """

    class_names: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray
    votes: np.ndarray
    paths: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """`[N]` int64 indices of the class with the highest probability."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidences(self) -> np.ndarray:
        """`[N]` float32, the highest probability."""
        return self.probabilities.max(axis=1)

    @property
    def correct(self) -> np.ndarray:
        """`[N]` bool, whether the predicted class is the label."""
        return self.predicted == self.labels

    def confusion(self) -> np.ndarray:
        """Returns `[C, C]` int64 counts, `[actual, predicted]`."""
        size = len(self.class_names)
        matrix = np.zeros((size, size), np.int64)
        np.add.at(matrix, (self.labels, self.predicted), 1)
        return matrix


def class_names(model_dir: str, file_pattern: str) -> tuple[str, ...]:
    """Returns the classes that a served model's signature `classify` has for the first Example.

    Raises:
      OSError: There is no SavedModel.
      KeyError: It has no such signature.
      ValueError: There are no Examples, or the model cannot take them.
    """
    classify = tf.saved_model.load(model_dir).signatures[CLASSIFY_SIGNATURE]
    files = sorted(tf.io.gfile.glob(file_pattern))
    for batch in tf.data.TFRecordDataset(files).batch(1).take(1):
        try:
            answer = classify(inputs=batch)
        except (TypeError, tf.errors.OpError) as error:
            raise ValueError(f"{model_dir}: {error}") from error
        return tuple(name.decode("utf-8") for name in answer["classes"].numpy()[0])
    raise ValueError(f"no Examples in {os.fspath(file_pattern)}")


def predict(model_dir: str, file_pattern: str) -> Predictions:
    """Runs a served model over a split of raw Examples, by its signature `classify`.

    Memory grows with the number of images by their probabilities, labels and paths alone; of the
    pictures only a batch is held.

    Args:
      model_dir: Folder of the SavedModel.
      file_pattern: Glob pattern of the split's TFRecord files.

    Raises:
      ValueError: There are no Examples, a label is not among the model's class names, or
        the votes are for another number of classes.
    """
    classify = tf.saved_model.load(model_dir).signatures[CLASSIFY_SIGNATURE]
    files = sorted(tf.io.gfile.glob(file_pattern))
    spec = {
        key: tf.io.FixedLenFeature([], tf.string) for key in (features.LABEL_KEY, features.PATH_KEY)
    }
    spec[features.VOTES_KEY] = tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
    spec[features.VOTES_OTHER_KEY] = tf.io.FixedLenFeature([], tf.float32, default_value=0.0)
    names: tuple[str, ...] = ()
    index: dict[bytes, int] = {}
    labels, probabilities, votes, paths = [], [], [], []
    for batch in tf.data.TFRecordDataset(files).batch(_BATCH).prefetch(1):
        parsed = tf.io.parse_example(batch, spec)
        answer = classify(inputs=batch)
        scores = answer["scores"].numpy()
        if not names:
            names = tuple(name.decode("utf-8") for name in answer["classes"].numpy()[0])
            index = {name.encode("utf-8"): number for number, name in enumerate(names)}
        texts = parsed[features.LABEL_KEY].numpy()
        unknown = [text for text in texts if text not in index]
        if unknown:
            raise ValueError(f"label {unknown[0]!r} is not among the model's classes {names}")
        actual = np.array([index[text] for text in texts], np.int64)
        labels.append(actual)
        probabilities.append(scores)
        given = parsed[features.VOTES_KEY].numpy()
        if given.shape[1] not in (0, len(names)):
            raise ValueError(f"votes for {given.shape[1]} classes, the model has {len(names)}")
        counts = np.zeros((len(batch), len(names) + 1), np.float32)
        counts[:, : given.shape[1]] = given
        counts[:, -1] = parsed[features.VOTES_OTHER_KEY].numpy()
        votes.append(counts)
        paths += [path.decode("utf-8") for path in parsed[features.PATH_KEY].numpy()]
    if not labels:
        raise ValueError(f"no Examples in {os.fspath(file_pattern)}")
    return Predictions(
        class_names=names,
        labels=np.concatenate(labels),
        probabilities=np.concatenate(probabilities),
        votes=np.concatenate(votes),
        paths=np.array(paths, np.str_),
    )
