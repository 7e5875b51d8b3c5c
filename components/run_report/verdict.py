"""How a run ended, in the words that the page and the terminal share."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from emotion_pipeline.components.counted import counted
from emotion_pipeline.components.image_findings.kinds import Kind
from emotion_pipeline.components.run_report.intervals import Interval

_METRIC_NAMES = {"macro_f1": "macro F1"}
_DIGITS = (3, 4, 5, 6)

WORSE: dict[str, tuple[Kind, Kind]] = {
    Kind.EXACT_COPIES: (Kind.CROSS_SPLIT_COPIES, Kind.CONFLICTING_LABELS),
    Kind.NEAR_COPIES: (Kind.CROSS_SPLIT_NEAR_COPIES, Kind.CONFLICTING_NEAR_LABELS),
}
"""Kinds whose groups are also of the kind that is their key; the page shows them under theirs alone."""


@dataclasses.dataclass(frozen=True)
class Naive:
    """What an answer without a look at the picture is right in.

    Attributes:
      label: The most frequent class, the first of those that are level.
      majority: The share of the images that always answering it is right in.
      chance: The share that drawing a class is right in: 1 / C.
    """

    label: str
    majority: float
    chance: float


def naive(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> Naive:
    """Returns what answering without a look reaches on the images of `[actual][predicted]` counts."""
    images = [sum(row) for row in confusion]
    most = int(np.argmax(images))
    return Naive(names[most], images[most] / sum(images), 1 / len(names))


def describe_naive(one: Naive) -> str:
    """Returns it in words.

    Example:
      >>> describe_naive(Naive("happy", 0.25, 1 / 7))
      'always answering happy would be right in 0.250, chance in 0.143'
    """
    return (
        f"always answering {one.label} would be right in {one.majority:.3f}, "
        f"chance in {one.chance:.3f}"
    )


def collapse(
    confusion: Sequence[Sequence[int]], names: Sequence[str], accuracy: Interval
) -> list[str]:
    """Returns what says that a model has learned nothing, or has given classes up; empty for neither.

    Args:
      confusion: `[actual][predicted]` counts.
      names: Of the classes.
      accuracy: The interval of the accuracy.

    Example:
      >>> collapse([[0, 4], [0, 4]], ["angry", "sad"], Interval(0.2, 0.8))
      ['no better than a guess: always answering angry would be right in 0.500, chance in 0.500', \
'1 of 2 classes is never answered rightly: angry; sad is the answer for 100 % of the pictures']
    """
    counts = np.asarray(confusion, np.int64)
    told = []
    without_a_look = naive(confusion, names)
    if accuracy.low <= max(without_a_look.majority, without_a_look.chance):
        told.append(f"no better than a guess: {describe_naive(without_a_look)}")
    labelled = counts.sum(axis=1) > 0
    missed = [
        name for name, one in zip(names, labelled & (np.diagonal(counts) == 0), strict=True) if one
    ]
    if missed:
        answers = counts.sum(axis=0)
        most = int(answers.argmax())
        told.append(
            f"{len(missed)} of {int(labelled.sum())} classes {'is' if len(missed) == 1 else 'are'} "
            f"never answered rightly: {', '.join(missed)}; {names[most]} is the answer for "
            f"{answers[most] / answers.sum():.0%} of the pictures".replace("%", " %")
        )
    return told


def below(metric: str, value: float, bound: float) -> str:
    """Returns in what a metric misses its lower bound, in as many digits as tell the two apart.

    Example:
      >>> below("macro_f1", 0.0571, 0.3), below("accuracy", 0.49996, 0.5)
      ('macro F1 0.057 is below 0.3', 'accuracy 0.49996 is below 0.5')
    """
    shown = next(
        (text for text in (f"{value:.{n}f}" for n in _DIGITS) if float(text) < bound), repr(value)
    )
    return f"{_METRIC_NAMES.get(metric, metric)} {shown} is below {bound:g}"


def pushed(version: int | str, folder: str = "") -> str:
    """Returns that a model was pushed, and where to, in words."""
    return f"blessed, and pushed as version {version}{f' to {folder}' if folder else ''}"


def not_pushed(failures: Sequence[str]) -> str:
    """Returns why a model was not pushed, in words.

    Example:
      >>> not_pushed(["accuracy 0.154 is below 0.5", "macro F1 0.057 is below 0.3"])
      'not blessed, nothing pushed: accuracy 0.154 is below 0.5; macro F1 0.057 is below 0.3'
    """
    return f"not blessed, nothing pushed: {'; '.join(failures)}"


def sentence(text: str) -> str:
    """Returns a text with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def findings_in_words(found: Iterable[tuple[str, int, int, int]]) -> list[str]:
    """Returns what is wrong with the pictures, the worst first; empty where nothing is.

    Args:
      found: Of each finding the kind, and how many groups, files, and files dropped from train.

    Example:
      >>> findings_in_words([("exact_copies", 7, 15, 0), ("cross_split_copies", 1, 2, 1)])
      ['1 group of equal pictures across the splits (1 file dropped from train)', \
'7 groups of equal pictures in all']
    """
    by_kind = {kind: (groups, files, dropped) for kind, groups, files, dropped in found if groups}
    told = []
    # What is also of a worse kind comes last.
    for kind in sorted(Kind, key=lambda kind: kind in WORSE):
        groups, files, dropped = by_kind.get(kind, (0, 0, 0))
        count = files if kind.is_of_one else groups
        if count:
            # Those across the splits and in several classes, named before, are among them.
            in_all = " in all" if any(other in by_kind for other in WORSE.get(kind, ())) else ""
            out = f" ({counted(dropped, 'file')} dropped from train)" if dropped else ""
            told.append(counted(count, *kind.words) + in_all + out)
    return told


def findings_note(found: Iterable[tuple[str, int, int, int]]) -> list[str]:
    """Returns what `findings_in_words` does in one line; no line where nothing is wrong."""
    told = findings_in_words(found)
    return [f"in the data: {', '.join(told)}"] if told else []
