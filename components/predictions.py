"""What the model says of the eval split: probabilities, and the pictures it is most wrong about."""

import dataclasses
import heapq
import os

import numpy as np
import tensorflow as tf

from emotion_pipeline.components import features

CLASSIFY_SIGNATURE = "classify"
_BATCH = 256
_MOST_WRONG = 24


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A picture whose label the model does not predict.

    Attributes:
      path: Of the picture, relative to the data set's root.
      image: The encoded picture.
      label: Its label.
      predicted: The class with the highest probability.
      confidence: That probability.
    """

    path: str
    image: bytes
    label: str
    predicted: str
    confidence: float


@dataclasses.dataclass(frozen=True)
class Predictions:
    """The answers of a model on a split of N images.

    Attributes:
      class_names: The C names in the order of the outputs.
      labels: `[N]` int64 indices.
      probabilities: `[N, C]` float32.
      votes: `[N, C + 1]` float32, people's votes for each class and, last, for none of them; zeros for
        an image without.
      most_wrong: The mistakes with the highest confidence, the highest first.
    """

    class_names: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray
    votes: np.ndarray
    most_wrong: tuple[Mistake, ...] = ()

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


def predict(model_dir: str, file_pattern: str, num_wrong: int = _MOST_WRONG) -> Predictions:
    """Runs a served model over a split of raw Examples, by its signature `classify`.

    Memory grows with the number of images by their probabilities and labels alone; of the pictures
    only a batch and the `num_wrong` worst are held.

    Args:
      model_dir: Folder of the SavedModel.
      file_pattern: Glob pattern of the split's TFRecord files.
      num_wrong: How many of the most confident mistakes are kept with their picture.

    Raises:
      ValueError: There are no Examples, a label is not among the model's class names, or
        the votes are for another number of classes.
    """
    classify = tf.saved_model.load(model_dir).signatures[CLASSIFY_SIGNATURE]
    files = sorted(tf.io.gfile.glob(file_pattern))
    spec = {
        key: tf.io.FixedLenFeature([], tf.string)
        for key in (features.LABEL_KEY, features.PATH_KEY, features.IMAGE_KEY)
    }
    spec[features.VOTES_KEY] = tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
    spec[features.VOTES_OTHER_KEY] = tf.io.FixedLenFeature([], tf.float32, default_value=0.0)
    names: tuple[str, ...] = ()
    index: dict[bytes, int] = {}
    labels, probabilities, votes = [], [], []
    # (confidence, path) orders the heap; no two pictures have one path.
    worst: list[tuple[float, str, Mistake]] = []
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
        top = scores.argmax(axis=1)
        for row in np.flatnonzero(top != actual):
            confidence = float(scores[row, top[row]])
            if not num_wrong or (len(worst) == num_wrong and confidence < worst[0][0]):
                continue
            path = parsed[features.PATH_KEY][row].numpy().decode("utf-8")
            image = parsed[features.IMAGE_KEY][row].numpy()
            mistake = Mistake(path, image, names[actual[row]], names[top[row]], confidence)
            heapq.heappush(worst, (confidence, path, mistake))
            if len(worst) > num_wrong:
                heapq.heappop(worst)
    if not labels:
        raise ValueError(f"no Examples in {os.fspath(file_pattern)}")
    return Predictions(
        class_names=names,
        labels=np.concatenate(labels),
        probabilities=np.concatenate(probabilities),
        votes=np.concatenate(votes),
        most_wrong=tuple(mistake for _, _, mistake in sorted(worst, reverse=True)),
    )
