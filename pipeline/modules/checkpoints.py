"""Training that goes on from the last finished epoch."""

import dataclasses
import json
import os
from typing import Any

import tensorflow as tf

_STATE_FILE = "state.json"
_FINISHED_FILE = "finished"
_EPOCH_PREFIX = "epoch-"
_BEST_PREFIX = "best-"


@dataclasses.dataclass
class TrainState:
    """Where a training stands.

    Attributes:
      history: One dict of metrics for each finished epoch.
      best_epoch: The best by `train.best_epoch_by`, from 0; -1 before the first.
      resumed_at: The epochs at which a training went on after it was cut off, or had ended.
    """

    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    best_epoch: int = -1
    resumed_at: list[int] = dataclasses.field(default_factory=list)


class Checkpoints:
    """The checkpoints of one training: all that the next epoch depends on, and the best weights.

    An epoch's folder is written under another name and renamed when it is whole, so a training that
    is killed finds either the epoch or the one before.
    """

    def __init__(
        self, base_dir: str, key: str, epochs: int, is_open_ended: bool, tracked: dict[str, Any]
    ):
        """Opens `<base_dir>/<key>-<epochs>`, and removes other trainings' folders that are finished.

        Args:
          base_dir: Folder of all trainings' checkpoints.
          key: Names this training: a hash of all that decides its result but `epochs`.
          epochs: How many it is to have.
          is_open_ended: Whether each epoch is the same for any number of them. Where this training has
            no folder yet, it goes on in that of the same key which is furthest, but not beyond `epochs`.
          tracked: What to save and restore: trackable objects or lists of them, `model` among them.
        """
        self._dir = os.path.join(base_dir, f"{key}-{epochs:05d}")
        self._all = tf.train.Checkpoint(**tracked)
        self._model = tf.train.Checkpoint(model=tracked["model"])
        if is_open_ended and not tf.io.gfile.exists(self._dir):
            shorter = _furthest(tf.io.gfile.glob(os.path.join(base_dir, f"{key}-*")), epochs)
            if shorter:
                tf.io.gfile.rename(shorter, self._dir)
        tf.io.gfile.makedirs(self._dir)
        if tf.io.gfile.exists(self._path(_FINISHED_FILE)):
            tf.io.gfile.remove(self._path(_FINISHED_FILE))
        for other in tf.io.gfile.glob(os.path.join(base_dir, "*", _FINISHED_FILE)):
            tf.io.gfile.rmtree(os.path.dirname(other))

    def _path(self, *parts: str) -> str:
        return os.path.join(self._dir, *parts)

    def restore(self) -> TrainState:
        """Restores the last finished epoch and returns its state; a new state where there is none."""
        epochs = _names(self._dir, _EPOCH_PREFIX)
        if not epochs:
            return TrainState()
        self._all.read(self._path(epochs[-1], "variables")).assert_consumed()
        with tf.io.gfile.GFile(self._path(epochs[-1], _STATE_FILE)) as file:
            state = TrainState(**json.load(file))
        state.resumed_at.append(len(state.history))
        return state

    def save(self, state: TrainState) -> None:
        """Saves the epoch that `state.history` ends with and drops the one before."""
        name = f"{_EPOCH_PREFIX}{len(state.history):05d}"
        part = self._path(name + ".part")
        if tf.io.gfile.exists(part):
            tf.io.gfile.rmtree(part)
        tf.io.gfile.makedirs(part)
        self._all.write(os.path.join(part, "variables"))
        with tf.io.gfile.GFile(os.path.join(part, _STATE_FILE), "w") as file:
            json.dump(dataclasses.asdict(state), file)
        tf.io.gfile.rename(part, self._path(name))
        self._remove(n for n in _names(self._dir, _EPOCH_PREFIX) if n != name)
        best = f"{_BEST_PREFIX}{state.best_epoch:05d}"
        self._remove(n for n in _names(self._dir, _BEST_PREFIX) if n != best)

    def save_best(self, epoch: int) -> None:
        """Saves the model's weights as those of the best epoch; call it before `save`."""
        name = f"{_BEST_PREFIX}{epoch:05d}"
        tf.io.gfile.makedirs(self._path(name))
        self._model.write(self._path(name, "variables"))

    def restore_best(self, state: TrainState) -> None:
        """Gives the model the weights of its best epoch."""
        path = self._path(f"{_BEST_PREFIX}{state.best_epoch:05d}", "variables")
        self._model.read(path).expect_partial()

    def finish(self) -> None:
        """Marks the training as finished: the next one may remove its folder."""
        with tf.io.gfile.GFile(self._path(_FINISHED_FILE), "w") as file:
            file.write("")

    def _remove(self, names) -> None:
        for name in names:
            tf.io.gfile.rmtree(self._path(name))


def _furthest(folders: list[str], epochs: int) -> str | None:
    """Returns the folder with the most finished epochs, of those with at most `epochs`."""
    done = {
        folder: int(names[-1].removeprefix(_EPOCH_PREFIX))
        for folder in folders
        if (names := _names(folder, _EPOCH_PREFIX))
    }
    within = [folder for folder in done if done[folder] <= epochs]
    return max(within, key=done.__getitem__, default=None)


def _names(folder: str, prefix: str) -> list[str]:
    names = [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]
    return sorted(n for n in names if n.startswith(prefix) and not n.endswith(".part"))
