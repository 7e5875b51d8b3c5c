import numpy as np
import pytest

from emotion_pipeline.components.vote_figures import agreed, most_voted, share_right

# Three classes, and none of them.
VOTES = [
    ([6, 4, 0, 0], 0, 0),
    ([0, 0, 5, 5], -1, -1),  # level with none of them
    ([0, 0, 4, 6], -1, -1),  # none of them
    ([4, 4, 2, 0], -1, -1),  # two are level
    ([3, 2, 2, 3], -1, -1),
    ([2, 3, 2, 2], 1, -1),  # a third of the votes
    ([0, 5, 2, 3], 1, -1),  # five in ten
    ([0, 6, 2, 2], 1, 1),  # six in ten, those for none of them included
    ([0, 0, 0.6, 0.4], 2, 2),
    ([0, 0, 33, 22], 2, 2),  # 0.6 to the last bit
    ([0, 0, 0, 0], -1, -1),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_class_with_most_votes_and_that_of_six_in_ten(dtype):
    votes = np.array([row for row, _, _ in VOTES], dtype)
    assert most_voted(votes).tolist() == [most for _, most, _ in VOTES]
    assert agreed(votes).tolist() == [six for _, _, six in VOTES]


def test_of_no_images():
    assert most_voted(np.zeros((0, 4))).tolist() == agreed(np.zeros((0, 4))).tolist() == []
    nothing = np.array([-1, -1])
    assert share_right(np.array([0, 1]), nothing) == {"images": 0, "accuracy": None}


def test_share_right_counts_images_with_a_choice_alone():
    answers, choices = np.array([0, 1, 2, -1]), np.array([0, 2, 2, -1])
    assert share_right(answers, choices) == {"images": 3, "accuracy": 2 / 3}
