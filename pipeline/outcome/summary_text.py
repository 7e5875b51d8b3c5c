"""The outcome of a run as lines for the terminal."""

from typing import Any

from emotion_pipeline.components.constants import EVAL_SPLIT
from emotion_pipeline.components.model_evaluator.comparison import Comparison
from emotion_pipeline.components.model_evaluator.judgement import Judgement, describe
from emotion_pipeline.components.progress import format_secs
from emotion_pipeline.components.records.calibration_record import NOT_ASKED, Calibration
from emotion_pipeline.components.run_report.verdict import describe_naive, naive, not_pushed, pushed
from emotion_pipeline.outcome.summary import IN_WORDS, RunSummary, Status
from emotion_pipeline.validation.lines import (
    drift_lines,
    finding_lines,
    image_lines,
    pruned_lines,
    votes_lines,
)


def format_summary(summary: RunSummary) -> str:
    """Returns the summary as lines for the terminal."""
    lines = ["", *image_lines(summary.images), *pruned_lines(summary.pruned)]
    lines += votes_lines(summary.votes)
    lines += finding_lines(summary.findings, summary.images)
    if any(measured["exceeded"] for one in summary.drift for measured in one["measurements"]):
        lines += drift_lines(summary.drift)
    per_label = summary.metrics.get("per_class", {})
    if summary.class_counts:
        lines += [
            "",
            "class       train  balanced" + ("  precision  recall     F1" * bool(per_label)),
        ]
        for label, counts in summary.class_counts.items():
            line = f"{label:10} {counts['before']:6} {counts['after']:9}"
            if label in per_label:
                row = per_label[label]
                line += f" {row['precision']:10.3f} {row['recall']:7.3f} {row['f1']:6.3f}"
            lines.append(line)
    if summary.metrics:
        confusion = summary.metrics["confusion_matrix"]
        lines += [
            "",
            f"{_split_in_words(summary)} accuracy {summary.metrics['accuracy']:.4f}, macro F1 "
            f"{summary.metrics['macro_f1']:.4f}, loss {summary.metrics['loss']:.4f}; "
            f"train accuracy {summary.metrics['train_accuracy']:.4f}",
            *_calibration_lines(summary.training),
            *(summary.training[key] for key in IN_WORDS if key in summary.training),
            *_votes_accuracy_lines(_split_in_words(summary), summary.metrics.get("votes", {})),
            "to compare with: " + describe_naive(naive(confusion, list(per_label))),
        ]
        judgement = _judgement(summary)
        if judgement.comparison is None:
            lines.append(describe(judgement))
    lines += summary.changes
    lines += ["", format_outcome(summary), *summary.notes]
    if summary.report_error:
        lines.append(f"the report failed, which changes nothing else: {summary.report_error}")
    lines.append(f"{format_secs(summary.seconds)} in all")
    return "\n".join(lines)


def _calibration_lines(training: dict[str, Any]) -> list[str]:
    """Returns what is to be told of the temperature; nothing where none was asked for."""
    calibration = Calibration(**training["calibration"])
    return [] if calibration.note == NOT_ASKED else [calibration.describe()]


def _votes_accuracy_lines(split: str, votes: dict[str, dict[str, Any]]) -> list[str]:
    told = (("most", "against most votes"), ("agreed", "where at least six in ten agree"))
    return [
        f"{split} accuracy {words} {votes[figure]['accuracy']:.4f}, of {votes[figure]['images']}"
        for figure, words in told
        if figure in votes and votes[figure]["images"]
    ]


def _judgement(summary: RunSummary) -> Judgement:
    content = dict(summary.judgement)
    comparison = content.pop("comparison")
    return Judgement(**content, comparison=Comparison(**comparison) if comparison else None)


def _split_in_words(summary: RunSummary) -> str:
    split = summary.metrics["split"]
    return "validation" if split == EVAL_SPLIT else split


def format_outcome(summary: RunSummary) -> str:
    """Returns how the run ended, in words."""
    if summary.status is Status.PUSHED:
        return pushed(str(summary.pushed_version), summary.push_dir)
    if summary.status is Status.NOT_BLESSED:
        return not_pushed(summary.failed_checks)
    if summary.status is Status.ANOMALIES:
        return f"stopped at anomalies in the data\n{summary.error}"
    return f"failed: {summary.error}"
