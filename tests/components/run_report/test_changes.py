import dataclasses

import numpy as np
import pytest

from emotion_pipeline.components.model_evaluator.comparison import score
from emotion_pipeline.components.predictions import Predictions
from emotion_pipeline.components.run_report.changes import (
    changed_data,
    changed_settings,
    compare_answers,
    describe_change,
    paired_interval,
)

NAMES = ("angry", "happy")


def answers(labels, of_happy, paths=None) -> Predictions:
    happy = np.array(of_happy, np.float32)
    return Predictions(
        class_names=NAMES,
        labels=np.array(labels),
        probabilities=np.stack([1 - happy, happy], axis=1),
        votes=np.zeros((len(labels), 3), np.float32),
        paths=np.array(paths or [f"{n}.jpg" for n in range(len(labels))]),
    )


def test_the_same_pictures_are_compared_class_by_class():
    before = answers([0, 0, 1, 1, 1], [0.9, 0.1, 0.2, 0.7, 0.4])
    now = answers([0, 0, 1, 1, 1], [0.2, 0.8, 0.6, 0.9, 0.3])
    change = compare_answers("run 3", now, before)
    assert (change.total.images, change.total.gained, change.total.lost) == (5, 2, 1)
    assert (change.total.before, change.total.now) == (0.4, 0.6)
    assert change.total.difference == pytest.approx(0.2)
    assert change.total.verdict == "not told apart"
    rows = [(row.label, row.images, row.gained, row.lost) for row in change.classes]
    assert rows == [("angry", 2, 1, 1), ("happy", 3, 1, 0)]
    # The surest of the wrong answer comes first: 0.9 before, and 0.8.
    right = [(one.path, one.before, one.now, round(one.sure, 2)) for one in change.newly_right]
    assert right == [("0.jpg", "happy", "angry", 0.9), ("2.jpg", "angry", "happy", 0.8)]
    (wrong,) = change.newly_wrong
    assert (wrong.path, wrong.label, wrong.before, wrong.now) == (
        "1.jpg",
        "angry",
        "angry",
        "happy",
    )
    assert describe_change(change).startswith(
        "against run 3: accuracy 0.400 to 0.600 on the same 5 pictures, +0.200 (95 %: "
    )


def test_pictures_are_matched_by_path_and_label_whatever_their_order():
    before = answers([1, 0, 0], [0.9, 0.1, 0.1], ["c.jpg", "a.jpg", "gone.jpg"])
    # b.jpg is new, and c.jpg was moved to another class.
    now = answers([0, 0, 0], [0.1, 0.1, 0.9], ["a.jpg", "b.jpg", "c.jpg"])
    change = compare_answers("run 1", now, before)
    assert (change.total.images, change.left_out) == (1, 4)
    assert (change.total.gained, change.total.lost) == (0, 0)


def test_classes_in_another_order_are_the_same_classes():
    before = answers([0, 1], [0.2, 0.9])
    turned = dataclasses.replace(
        before,
        class_names=NAMES[::-1],
        labels=1 - before.labels,
        probabilities=before.probabilities[:, ::-1],
    )
    change = compare_answers("run 1", before, turned)
    assert (change.total.before, change.total.now) == (1.0, 1.0)


def test_what_cannot_be_compared_is_not():
    one = answers([0, 1], [0.2, 0.9])
    assert compare_answers("x", one, dataclasses.replace(one, class_names=("angry", "sad"))) is None
    assert compare_answers("x", one, answers([0], [0.1], ["other.jpg"])) is None


def test_a_clear_difference_is_told():
    labels = [0] * 100
    bad, good = answers(labels, [0.9] * 60 + [0.1] * 40), answers(labels, [0.1] * 100)
    assert compare_answers("x", good, bad).total.verdict == "better"
    assert compare_answers("x", bad, good).total.verdict == "worse"


def test_the_bounds_are_where_the_score_test_begins_to_reject():
    one = paired_interval(gained=1, lost=5, images=50)
    assert score(1, 5, 50, one.low) == pytest.approx(1.959964, abs=1e-4)
    assert score(1, 5, 50, one.high) == pytest.approx(-1.959964, abs=1e-4)
    turned = paired_interval(gained=5, lost=1, images=50)
    assert (turned.low, turned.high) == (pytest.approx(-one.high), pytest.approx(-one.low))


def test_settings_that_came_and_went():
    changes = changed_settings({"a": 1, "b": 2, "old": 3}, {"a": 1, "b": 4, "new": None, "c": 5})
    assert [(one.name, one.before, one.now) for one in changes] == [
        ("b", 2, 4), ("c", None, 5), ("old", 3, None)
    ]  # fmt: skip


def test_data_that_differ():
    train = {"pictures": 3, "classes": {"angry": 1, "sad": 2}, "digest": "a"}
    more = {"pictures": 4, "classes": {"angry": 3, "happy": 1}, "digest": "b"}
    assert changed_data({"train": train}, {"train": train}) == []
    assert changed_data({"train": train}, {"train": more, "eval": train}) == [
        "train: 3 to 4 pictures (angry +2, sad -2, happy +1)",
        "eval: 0 to 3 pictures (angry +1, sad +2)",
    ]
    others = {**train, "digest": "c"}
    assert changed_data({"train": train}, {"train": others}) == [
        "train: 3 to 3 pictures, other ones or other labels"
    ]
