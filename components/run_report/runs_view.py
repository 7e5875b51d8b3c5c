"""The page over the runs of a root."""

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup

from emotion_pipeline.components.run_report.charts import runs_accuracy, runs_curves
from emotion_pipeline.components.run_report.history import format_time
from emotion_pipeline.components.run_report.intervals import Interval
from emotion_pipeline.components.run_report.record import RunRecord

_MAX_CURVES = 8
_MAX_ACCURACIES = 40

_STATUS_WORDS = {
    "pushed": "pushed",
    "not_blessed": "not blessed",
    "anomalies": "stopped at the data",
    "failed": "failed",
    "running": "under way",
    "interrupted": "interrupted",
}


@dataclasses.dataclass(frozen=True)
class RunRow:
    """A run's row; `why` is what ended it without a push."""

    record: RunRecord
    started: str
    status: str
    why: str
    is_served: bool


@dataclasses.dataclass(frozen=True)
class RunsView:
    """All that the template shows: the newest run first, and the charts where there is something to draw."""

    rows: list[RunRow]
    curves: Markup | None
    accuracies: Markup | None


def make_runs_view(records: Sequence[RunRecord], served: int | None) -> RunsView:
    """Draws the runs.

    Args:
      records: The first run first.
      served: The version that is served; None where nothing is.
    """
    first_of_served = next(
        (one.number for one in records if served and one.pushed_version == served), None
    )
    trained = [one for one in records if one.history][-_MAX_CURVES:]
    judged = [one for one in records if one.metrics][-_MAX_ACCURACIES:]
    return RunsView(
        rows=[
            RunRow(
                record=one,
                started=format_time(one.started),
                status=_STATUS_WORDS.get(one.status, one.status),
                why=""
                if one.status == "pushed"
                else " ".join(one.outcome.partition(": ")[2].split()),
                is_served=one.number == first_of_served,
            )
            for one in reversed(records)
        ],
        curves=runs_curves(
            [(one.number, [row["val_accuracy"] for row in one.history]) for one in trained]
        )
        if trained
        else None,
        accuracies=runs_accuracy(
            [
                (one.number, one.metrics["accuracy"], Interval(*one.metrics["accuracy_interval"]))
                for one in judged
            ]
        )
        if judged
        else None,
    )
