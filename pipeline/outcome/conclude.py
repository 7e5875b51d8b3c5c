"""How a run went, here or on Kubeflow, and what it leaves behind."""

import dataclasses
import logging

from emotion_pipeline.components.records.run_records import ComponentRun
from emotion_pipeline.components.run_report.content import ChangesContent
from emotion_pipeline.components.run_report.history import describe_changes
from emotion_pipeline.components.run_report.record import RunFacts
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.outcome.report import changes_of, leave_report
from emotion_pipeline.outcome.summary import RunSummary, summarize
from emotion_pipeline.pipeline import REPORT


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run went: what ran, for how long, and what ended it early, if anything."""

    components: list[ComponentRun]
    seconds: float
    error: Exception | None


def conclude(facts: RunFacts, config: PipelineConfig, outcome: Outcome) -> RunSummary:
    """Leaves the page of a run that has ended, and returns how it went.

    Where the report itself failed, that is told, and the run ended as it had before.
    """
    report_error = str(outcome.error) if _failed_in_report(outcome) else None
    error = None if report_error is not None else outcome.error
    summary = summarize(config, outcome.components, outcome.seconds, error)
    summary = dataclasses.replace(
        summary,
        run=facts.number,
        started=facts.started,
        changes=describe_changes(_changes_of(facts, config, outcome.components)),
        report_error=report_error,
    )
    return leave_report(facts, config, outcome.components, error, summary)


def _changes_of(
    facts: RunFacts, config: PipelineConfig, components: list[ComponentRun]
) -> ChangesContent | None:
    try:
        return changes_of(facts, config, components)
    except Exception:  # an earlier run's answers were damaged, say; it says nothing of this run
        logging.getLogger(__name__).exception("what has changed cannot be told")
        return None


def _failed_in_report(outcome: Outcome) -> bool:
    """Returns whether all that a run is for was done when it failed."""
    if outcome.error is None or not outcome.components:
        return False
    last = outcome.components[-1]
    return last.id == REPORT and not last.complete
