import numpy as np
import pandas as pd

from emotion_pipeline.components.predictions import Predictions
from emotion_pipeline.components.run_report.slices import cut, slice_accuracy


def test_slices_are_equally_large_and_say_where_it_is_worse():
    values = np.arange(100) / 100
    correct = values >= 0.2
    slices = cut(values, correct)
    assert [one.images for one in slices] == [20] * 5
    assert [one.accuracy for one in slices] == [0, 1, 1, 1, 1]
    assert (slices[0].low, slices[0].high) == (0.0, 0.19)
    assert [one.verdict for one in slices] == ["lower", "higher", "higher", "higher", "higher"]


def test_equal_values_are_in_one_slice():
    slices = cut(np.array([0.5] * 8 + [0.75] * 2), np.array([True] * 10))
    assert [(one.low, one.high, one.images) for one in slices] == [
        (0.5, 0.5, 8), (0.75, 0.75, 2)
    ]  # fmt: skip
    assert [one.verdict for one in slices] == ["", ""]
    assert [one.images for one in cut(np.full(7, 0.25), np.array([True] * 7))] == [7]


def test_pictures_are_found_by_their_path():
    table = pd.DataFrame(
        {
            "path": ["a", "b", "c"],
            "brightness": [0.1, 0.9, np.nan],
            "contrast": np.nan,
            "sharpness": [1.0, 2.0, 3.0],
        }
    )
    predictions = Predictions(
        class_names=("x", "y"),
        labels=np.array([0, 0, 0, 0]),
        probabilities=np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.9, 0.1]]),
        votes=np.zeros((4, 3)),
        paths=np.array(["b", "a", "c", "elsewhere"]),
    )
    found = slice_accuracy(table, predictions)
    assert list(found) == ["brightness", "sharpness"]
    assert [(one.low, one.accuracy) for one in found["brightness"]] == [(0.1, 0.0), (0.9, 1.0)]
    assert sum(one.images for one in found["sharpness"]) == 3
