"""Pushed models whose answers a network learns beside the labels: distillation, arXiv:1503.02531."""

import hashlib
import os
from collections.abc import Sequence

import tensorflow as tf

from emotion_pipeline.components.errors import UserError

_GRAPH_FILE = "saved_model.pb"
_LABELS_FILE = os.path.join("assets.extra", "labels.txt")
_SIGNATURE = "pixels"


def find_model(folder: str) -> str:
    """Returns the newest version below a folder of pushed models, or the folder if it is a version.

    Raises:
      UserError: There is no SavedModel.
    """
    if tf.io.gfile.exists(os.path.join(folder, _GRAPH_FILE)):
        return folder
    names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
    versions = [int(name.rstrip("/")) for name in names if name.rstrip("/").isdigit()]
    for version in sorted(versions, reverse=True):
        path = os.path.join(folder, str(version))
        if tf.io.gfile.exists(os.path.join(path, _GRAPH_FILE)):
            return path
    raise UserError(
        f"train.teachers: {folder} has no SavedModel; name a folder of pushed versions, such as "
        "ROOT/pushed/emotion"
    )


def teachers_fingerprint(folders: Sequence[str], class_names: Sequence[str]) -> str:
    """Hashes the content of the teachers' models, for the keys of caches and checkpoints.

    Returns:
      16 hex digits; empty where there are no teachers.

    Raises:
      UserError: A folder has no model, or one of other classes.
    """
    if not folders:
        return ""
    digest = hashlib.sha256()
    for folder in folders:
        model_dir = find_model(folder)
        _check_classes(model_dir, class_names)
        variables = sorted(tf.io.gfile.glob(os.path.join(model_dir, "variables", "*")))
        for path in [os.path.join(model_dir, _GRAPH_FILE), *variables]:
            with tf.io.gfile.GFile(path, "rb") as file:
                digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()[:16]


class Teachers:
    """The mean answer of pushed models."""

    def __init__(self, folders: Sequence[str], class_names: Sequence[str]):
        """Loads the models.

        Args:
          folders: Of pushed versions, or versions; at least one.
          class_names: Those of the network that learns, in the order of its outputs; a teacher may
            have the same in another order.

        Raises:
          UserError: A folder has no model, or one of other classes.
        """
        self._models = []
        for folder in folders:
            model_dir = find_model(folder)
            names = _check_classes(model_dir, class_names)
            order = tf.constant([names.index(name) for name in class_names])
            model = tf.saved_model.load(model_dir)
            self._models.append((model, model.signatures[_SIGNATURE], order))

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        """Returns `[N, C]` float32 probabilities for `[N, 48, 48, 1]` float32 pixels in [0, 1]."""
        answers = [
            tf.gather(answer(pixels=pixels)["probabilities"], order, axis=1)
            for _, answer, order in self._models
        ]
        return tf.add_n(answers) / len(answers)


def soften(probabilities: tf.Tensor, temperature: float) -> tf.Tensor:
    """Returns what the softmax would have given for its inputs divided by the temperature.

    Args:
      probabilities: `[N, C]` float32.
      temperature: 1 leaves them as they are.
    """
    logits = tf.math.log(tf.maximum(probabilities, 1e-7))
    return tf.nn.softmax(logits / temperature)


def _check_classes(model_dir: str, class_names: Sequence[str]) -> list[str]:
    path = os.path.join(model_dir, _LABELS_FILE)
    if not tf.io.gfile.exists(path):
        raise UserError(f"train.teachers: {model_dir} does not name its classes ({_LABELS_FILE})")
    with tf.io.gfile.GFile(path) as file:
        names = file.read().splitlines()
    if sorted(names) != sorted(class_names):
        raise UserError(
            f"train.teachers: {model_dir} answers with the classes {', '.join(names)}; this run has "
            f"{', '.join(class_names)}"
        )
    return names
