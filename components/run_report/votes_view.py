"""What people voted for, beside the folders and beside the model's answers."""

import dataclasses
from typing import Any

from emotion_pipeline.components.image_ingest.folder_agreement import folder_agreement
from emotion_pipeline.components.image_ingest.manifest import Manifest, VotesRecord
from emotion_pipeline.components.predictions import Predictions
from emotion_pipeline.components.run_report.intervals import Interval, wilson
from emotion_pipeline.components.vote_figures import agreed, most_voted, share_right


@dataclasses.dataclass(frozen=True)
class AgreementRow:
    """By split, of how many pictures with a most voted class (`images`) it is the folder.

    `agreement` is the share of them; it is None, or the split is missing, where there are none.
    """

    label: str
    splits: dict[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class VotesView:
    """What became of the file of votes, a row for each class, and one for all."""

    record: VotesRecord
    rows: list[AgreementRow]
    total: AgreementRow


@dataclasses.dataclass(frozen=True)
class VotesScore:
    """The model's accuracy against one reading of the votes."""

    against: str
    images: int
    accuracy: float
    interval: Interval


def make_votes_view(manifest: Manifest) -> VotesView | None:
    """Returns what the votes say of the folders; None where there are no votes."""
    if manifest.votes is None:
        return None
    found = folder_agreement(manifest.table)
    labels = sorted({label for one in found.values() for label in one["by_class"]})
    rows = [
        AgreementRow(
            label,
            {
                split: one["by_class"][label]
                for split, one in found.items()
                if label in one["by_class"]
            },
        )
        for label in labels
    ]
    return VotesView(manifest.votes, rows, AgreementRow("all", found))


def vote_scores(predictions: Predictions) -> list[VotesScore]:
    """Returns the accuracy against most votes, and where six in ten agree, of those with images."""
    scores = []
    for against, choose in (("most votes", most_voted), ("at least six votes in ten", agreed)):
        measured = share_right(predictions.predicted, choose(predictions.votes))
        images = measured["images"]
        if images:
            hits = round(measured["accuracy"] * images)
            scores.append(VotesScore(against, images, measured["accuracy"], wilson(hits, images)))
    return scores
