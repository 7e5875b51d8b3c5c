import pytest

from emotion_pipeline.components.run_report.intervals import Interval
from emotion_pipeline.components.run_report.verdict import (
    below,
    collapse,
    findings_in_words,
    naive,
)

NAMES = ["angry", "happy", "sad"]


def test_the_most_frequent_class_and_chance():
    one = naive([[1, 0, 0], [2, 2, 0], [0, 0, 3]], NAMES)
    assert (one.label, one.majority, one.chance) == ("happy", 0.5, pytest.approx(1 / 3))


def test_a_model_that_always_answers_one_class_has_collapsed():
    guess, missed = collapse([[0, 10, 0], [0, 10, 0], [0, 10, 0]], NAMES, Interval(0.2, 0.5))
    assert guess == (
        "no better than a guess: always answering angry would be right in 0.333, chance in 0.333"
    )
    assert missed == (
        "2 of 3 classes are never answered rightly: angry, sad; happy is the answer for 100 % of the pictures"
    )


def test_a_class_that_was_given_up_is_told_of_a_good_model_too():
    told = collapse([[90, 0, 0], [0, 90, 0], [5, 1, 0]], NAMES, Interval(0.9, 1.0))
    assert told == [
        "1 of 3 classes is never answered rightly: sad; angry is the answer for 51 % of the pictures"
    ]


def test_a_model_that_has_learned_gets_no_word():
    assert collapse([[9, 1, 0], [1, 9, 0], [0, 0, 10]], NAMES, Interval(0.8, 1.0)) == []
    # A class without pictures is not missed.
    assert collapse([[9, 1, 0], [1, 9, 0], [0, 0, 0]], NAMES, Interval(0.8, 1.0)) == []


@pytest.mark.parametrize(
    ("value", "bound", "told"),
    [
        (0.1541, 0.5, "accuracy 0.154 is below 0.5"),
        (0.49996, 0.5, "accuracy 0.49996 is below 0.5"),
        (0.49999999, 0.5, "accuracy 0.49999999 is below 0.5"),
        (0.57391, 0.574, "accuracy 0.5739 is below 0.574"),
    ],
)
def test_a_figure_is_told_so_that_it_is_below(value, bound, told):
    assert below("accuracy", value, bound) == told


def test_leaks_come_before_copies():
    found = [
        ("exact_copies", 1271, 2600, 0),
        ("uninformative", 2, 12, 0),
        ("cross_split_near_copies", 778, 1600, 476),
        ("conflicting_labels", 0, 0, 0),
    ]
    assert findings_in_words(found) == [
        "778 groups of nearly equal pictures across the splits (476 files dropped from train)",
        "12 pictures of one gray",
        "1,271 groups of equal pictures",
    ]


def test_groups_that_were_counted_before_are_said_to_be_among_those_in_all():
    found = [
        ("cross_split_copies", 11, 24, 0),
        ("conflicting_labels", 1, 2, 0),
        ("exact_copies", 19, 40, 0),
        ("near_copies", 6, 12, 0),
    ]
    assert findings_in_words(found) == [
        "11 groups of equal pictures across the splits",
        "1 group of equal pictures in different classes",
        "19 groups of equal pictures in all",
        "6 groups of nearly equal pictures",
    ]
