"""What several people's votes say: of the labels, and of a model's answers."""

from typing import Any

import numpy as np

NO_CHOICE = -1


def most_voted(votes: np.ndarray) -> np.ndarray:
    """Returns the class that most people voted for.

    Args:
      votes: `[N, C + 1]`: the votes for each class and, last, for none of them; zeros for none at all.

    Returns:
      `[N]` int64: the class with more votes than each other one and than none of them has, and
      `NO_CHOICE` where there is no such class, as where two are level.
    """
    top = votes.max(axis=1)
    first = votes.argmax(axis=1)
    clear = (top > 0) & ((votes == top[:, np.newaxis]).sum(axis=1) == 1)
    return np.where(clear & (first < votes.shape[1] - 1), first, NO_CHOICE)


def agreed(votes: np.ndarray) -> np.ndarray:
    """Returns the class that at least six in ten of all votes are for, those for none of them included.

    Args:
      votes: As `most_voted` takes them.

    Returns:
      `[N]` int64, and `NO_CHOICE` where there is no such class.
    """
    # Times 10 and 6, which votes stay whole by; 0.6 is none that a float holds.
    are_six_in_ten = 10 * votes.max(axis=1) >= 6 * votes.sum(axis=1)
    return np.where(are_six_in_ten, most_voted(votes), NO_CHOICE)


def share_right(answers: np.ndarray, choices: np.ndarray) -> dict[str, Any]:
    """Returns `images`, those with a choice, and `accuracy`, the share of them with that answer.

    The accuracy of no images is None.
    """
    chosen = choices != NO_CHOICE
    images = int(chosen.sum())
    hits = int((answers[chosen] == choices[chosen]).sum())
    return {"images": images, "accuracy": hits / images if images else None}
