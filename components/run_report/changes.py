"""What changed between two models on the same pictures, and between two runs."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emotion_pipeline.components.model_evaluator.comparison import upper_bound
from emotion_pipeline.components.predictions import Predictions
from emotion_pipeline.components.run_report.intervals import LEVEL, Interval

MAX_PICTURES = 12
"""Pictures newly right, and newly wrong, that are kept; the rest is counted."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """A share of right answers, before and now, on the same pictures.

    Attributes:
      label: The class; empty for all.
      images: How many pictures.
      before: What the other model has right, as a share.
      now: What the model has right.
      gained: Pictures that the model has right and the other has wrong.
      lost: The other way round.
      interval: Of `now - before`, at 95 %, paired (Tango 1998).
    """

    label: str
    images: int
    before: float
    now: float
    gained: int
    lost: int
    interval: Interval

    @property
    def difference(self) -> float:
        """How much more is right now, as a share."""
        return (self.gained - self.lost) / self.images

    @property
    def verdict(self) -> str:
        """`better`, `worse`, `not told apart`, or `the same` where no picture's answer turned."""
        if not self.gained and not self.lost:
            return "the same"
        if self.interval.low > 0:
            return "better"
        return "worse" if self.interval.high < 0 else "not told apart"


@dataclasses.dataclass(frozen=True)
class Turned:
    """A picture whose answer turned from right to wrong or back; `sure` is of the wrong answer."""

    path: str
    label: str
    before: str
    now: str
    sure: float


@dataclasses.dataclass(frozen=True)
class ModelChange:
    """A model beside another.

    Attributes:
      against: What the other is, in words.
      total: All pictures that both have answered.
      classes: Those of each label, in the model's order of classes.
      left_out: Pictures that only one of the two has answered.
      newly_right: At most 12, those where the other was surest of the wrong answer first.
      newly_wrong: At most 12, those where the model is surest of it first.
    """

    against: str
    total: Difference
    classes: tuple[Difference, ...]
    left_out: int
    newly_right: tuple[Turned, ...]
    newly_wrong: tuple[Turned, ...]


def compare_answers(against: str, model: Predictions, other: Predictions) -> ModelChange | None:
    """Compares a model with another by the pictures that both have answered.

    Args:
      against: What the other is, in words.
      model: The answers of the model.
      other: Of the other.

    Returns:
      The change; None where the classes differ, or no picture has the same path and label in both.
    """
    if set(model.class_names) != set(other.class_names):
        return None
    _, here, there = np.intersect1d(_keys(model), _keys(other), return_indices=True)
    if not len(here):
        return None
    names = model.class_names
    labels = model.labels[here]
    columns = [other.class_names.index(name) for name in names]
    now, before = model.probabilities[here], other.probabilities[there][:, columns]
    right, was_right = now.argmax(axis=1) == labels, before.argmax(axis=1) == labels
    return ModelChange(
        against=against,
        total=_difference("", right, was_right),
        classes=tuple(
            _difference(name, right[labels == index], was_right[labels == index])
            for index, name in enumerate(names)
            if (labels == index).any()
        ),
        left_out=len(model.labels) + len(other.labels) - 2 * len(here),
        newly_right=_turned(
            model.paths[here], names, labels, before, now, right & ~was_right, before
        ),
        newly_wrong=_turned(model.paths[here], names, labels, before, now, ~right & was_right, now),
    )


def _keys(predictions: Predictions) -> np.ndarray:
    names = np.array(predictions.class_names, np.str_)[predictions.labels]
    return np.char.add(np.char.add(names, "/"), predictions.paths)


def _difference(label: str, right: np.ndarray, was_right: np.ndarray) -> Difference:
    gained, lost = int((right & ~was_right).sum()), int((~right & was_right).sum())
    return Difference(
        label=label,
        images=len(right),
        before=float(was_right.mean()),
        now=float(right.mean()),
        gained=gained,
        lost=lost,
        interval=paired_interval(gained, lost, len(right)),
    )


def paired_interval(gained: int, lost: int, images: int) -> Interval:
    """Returns the 95 % interval of the difference of two paired shares (Tango 1998).

    Example:
      >>> one = paired_interval(gained=20, lost=8, images=100)
      >>> round(one.low, 3), round(one.high, 3)
      (0.017, 0.225)
    """
    one_sided = (1 + LEVEL) / 2
    return Interval(
        -upper_bound(lost, gained, images, one_sided), upper_bound(gained, lost, images, one_sided)
    )


def _turned(
    paths: np.ndarray,
    names: Sequence[str],
    labels: np.ndarray,
    before: np.ndarray,
    now: np.ndarray,
    chosen: np.ndarray,
    wrong: np.ndarray,
) -> tuple[Turned, ...]:
    rows = np.flatnonzero(chosen)
    # The path decides between those that are as sure, so that the order of the pictures does not.
    rows = rows[np.lexsort((paths[rows], -wrong[rows].max(axis=1)))][:MAX_PICTURES]
    return tuple(
        Turned(
            path=str(paths[row]),
            label=names[labels[row]],
            before=names[before[row].argmax()],
            now=names[now[row].argmax()],
            sure=float(wrong[row].max()),
        )
        for row in rows
    )


def describe_change(change: ModelChange) -> str:
    """Returns the change in a sentence, for the page and the terminal."""
    one = change.total
    return (
        f"against {change.against}: accuracy {one.before:.3f} to {one.now:.3f} on the same "
        f"{one.images:,} pictures, {one.difference:+.3f} (95 %: {one.interval.low:+.3f} to "
        f"{one.interval.high:+.3f}), {one.gained:,} newly right, {one.lost:,} newly wrong: "
        f"{one.verdict}"
    )


@dataclasses.dataclass(frozen=True)
class SettingChange:
    """A setting under its dotted name, as it was and as it is; None where it was, or is, not there."""

    name: str
    before: Any
    now: Any


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[SettingChange]:
    """Returns the settings that differ, of flat ones, in the order of `now`.

    Example:
      >>> changed_settings({"seed": 1, "train.epochs": 8}, {"seed": 1, "train.epochs": 2})
      [SettingChange(name='train.epochs', before=8, now=2)]
    """
    names = [*now, *(name for name in before if name not in now)]
    return [
        SettingChange(name, before.get(name), now.get(name))
        for name in names
        if before.get(name) != now.get(name)
    ]


def changed_data(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Returns how the kept pictures differ, a sentence for each split; empty where they do not.

    Args:
      before: By split what `history.describe_data` returns, of the earlier run.
      now: The same of this one.
    """
    told = []
    for split in [*now, *(one for one in before if one not in now)]:
        was, one = before.get(split, _NO_DATA), now.get(split, _NO_DATA)
        if was["digest"] == one["digest"]:
            continue
        classes = [
            f"{label} {count - was['classes'].get(label, 0):+,}"
            for label, count in {**dict.fromkeys(was["classes"], 0), **one["classes"]}.items()
            if count != was["classes"].get(label, 0)
        ]
        by_class = f" ({', '.join(classes)})" if classes else ", other ones or other labels"
        told.append(f"{split}: {was['pictures']:,} to {one['pictures']:,} pictures{by_class}")
    return told


_NO_DATA: dict[str, Any] = {"pictures": 0, "classes": {}, "digest": ""}
