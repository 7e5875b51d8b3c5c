"""The Trainer's figures are the Evaluator's."""

import numpy as np
import pytest

from emotion_pipeline.components.scores import macro_f1
from emotion_pipeline.modules.trainer_module import measure


def test_a_class_that_never_occurs_is_no_part_of_macro_f1():
    """Of three classes the last is neither label nor answer: F1 2/3 and 4/5, and a mean of 11/15."""
    answers = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    measured = measure(answers, np.array([0, 0, 1, 1]))
    assert measured["macro_f1"] == pytest.approx(11 / 15)
    assert measured["macro_f1"] == macro_f1({(0, 0): 1, (0, 1): 1, (1, 1): 2})
    assert measured["accuracy"] == 0.75
