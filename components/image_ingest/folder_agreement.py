"""How often the folder of a picture is what people voted for."""

from typing import Any

import numpy as np
import pandas as pd

from emotion_pipeline.components.constants import SPLITS
from emotion_pipeline.components.image_ingest.manifest import (
    VOTES_OTHER_COLUMN,
    kept_rows,
    vote_columns,
    vote_labels,
)
from emotion_pipeline.components.vote_figures import NO_CHOICE, most_voted, share_right


def folder_agreement(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Returns how often the folder is the class that most people voted for.

    Args:
      table: A manifest's.

    Returns:
      For each split `images`, the kept pictures with such a class, `agreement`, the share of them
      whose folder it is (None of no images), and `by_class`: both for each class of the folders.
      Empty where the manifest has no votes.
    """
    columns = vote_columns(table.columns)
    if not columns:
        return {}
    index = {label: number for number, label in enumerate(vote_labels(columns))}
    result = {}
    for split in SPLITS:
        rows = kept_rows(table, split)
        choices = most_voted(rows[[*columns, VOTES_OTHER_COLUMN]].fillna(0).to_numpy())
        folders = np.array([index.get(label, NO_CHOICE) for label in rows["label"]], np.int64)
        by_class = {
            label: _agreement(folders, np.where(rows["label"] == label, choices, NO_CHOICE))
            for label in sorted(rows["label"].unique())
        }
        result[split] = {**_agreement(folders, choices), "by_class": by_class}
    return result


def _agreement(folders: np.ndarray, choices: np.ndarray) -> dict[str, Any]:
    measured = share_right(folders, choices)
    return {"images": measured["images"], "agreement": measured["accuracy"]}
