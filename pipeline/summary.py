"""The outcome of a run, as `summary.json` and as lines for the terminal."""

import dataclasses
import enum
import json
from typing import Any

import numpy as np
from ml_metadata.proto import metadata_store_pb2 as mlmd

from emotion_pipeline.components.anomaly_gate.anomalies import AnomaliesError, to_dicts
from emotion_pipeline.components.class_balancer.executor import CLASS_COUNTS_PROPERTY
from emotion_pipeline.components.constants import EVAL_SPLIT
from emotion_pipeline.components.drift_validator.drift import read_drift
from emotion_pipeline.components.errors import DataRejectedError
from emotion_pipeline.components.failures import describe_failure
from emotion_pipeline.components.image_findings.findings import read_findings
from emotion_pipeline.components.image_ingest.folder_agreement import folder_agreement
from emotion_pipeline.components.image_ingest.manifest import (
    Manifest,
    counts_by_split,
    notes_on,
    paths_by_reason,
    read_manifest,
)
from emotion_pipeline.components.model_evaluator.comparison import Comparison
from emotion_pipeline.components.model_evaluator.judgement import Judgement, describe
from emotion_pipeline.components.progress import format_secs
from emotion_pipeline.components.records.calibration_record import NOT_ASKED, Calibration
from emotion_pipeline.components.records.run_records import ComponentRun, output
from emotion_pipeline.components.records.training_record import read_training
from emotion_pipeline.components.run_report.evaluation import judgement_of, read_checks
from emotion_pipeline.components.run_report.intervals import bootstrap
from emotion_pipeline.components.run_report.verdict import (
    collapse,
    describe_naive,
    findings_note,
    naive,
    not_pushed,
    pushed,
)
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.evaluation_result import evaluation_metrics
from emotion_pipeline.validation.lines import (
    drift_lines,
    finding_lines,
    image_lines,
    pruned_lines,
    votes_lines,
    without_copies,
)

_DATA_OUTPUTS = {
    "manifest": ("ImageAudit", "audited_manifest"),
    "findings": ("ImageAudit", "findings"),
    "statistics": ("StatisticsGen", "statistics"),
    "drift": ("DriftValidator", "drift"),
    "balanced_examples": ("ClassBalancer", "balanced_examples"),
}
"""What tells of the data: the component and the key of its output."""

_IN_WORDS = ("prior_correction", "int8")
_TRAINING_KEYS = ("epochs", "best_epoch", "resumed_at", "precision", "calibration", *_IN_WORDS)
"""What a summary has of a training's record; what was not asked for is not there."""


class Status(str, enum.Enum):
    """How a run or a validation ended; `exit_status` is the command's."""

    exit_status: int

    def __new__(cls, value: str, exit_status: int) -> "Status":
        """Makes a member with its exit status."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.exit_status = exit_status
        return member

    PUSHED = ("pushed", 0)
    CLEAN = ("clean", 0)
    FAILED = ("failed", 1)
    NOT_BLESSED = ("not_blessed", 3)
    ANOMALIES = ("anomalies", 4)


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """What `summary.json` holds.

    Attributes:
      status: How the run ended.
      components: `id`, `seconds` and `cached` of each component that ran.
      findings: Of each kind its `policy`, `groups`, `images`, `dropped` and `examples`.
      drift: The distances between the splits, and to an earlier run.
      images: Per split `found`, `kept`, `pruned` and `pruned_by_reason`.
      pruned: By reason the paths of the files that are not used, without copies.
      votes: What became of the file of votes, and per split and class how often the folder is what
        most people voted for (`folder_agreement`); empty without votes.
      class_counts: Per class the images of the train split `before` and `after` balancing.
      metrics: Accuracy with its 95 % interval, loss, macro F1 and, by class, precision, recall and F1
        on the untouched split that judged, whose name is `split`; `train_accuracy` as served and without copies, and
        the gap to it; with votes, in `votes`, `accuracy` and `images` where one class has most votes
        and where six in ten agree.
      judgement: The split that judged, and the comparison with the served model: see
        `emotion_pipeline.components.model_evaluator`.
      failed_checks: What the model does not reach, in words.
      training: Epochs, best epoch, epochs at which a training that was cut off went on, precision, and
        the temperature of the answers with the calibration error on eval without and with it; with
        `train.prior_correction` what was added to the logits, and with `train.int8` what became of the model in
        8 bits, both in words.
      blessed: Whether the model reached the thresholds; None where nothing was evaluated.
      pushed_version: The version folder's number; None where nothing was pushed.
      push_dir: Folder of the version folders.
      seconds: Of the whole run, from `started`.
      anomalies: What stopped the run, where that was anomalies.
      error: What stopped the run otherwise.
      notes: What has to be known beside the outcome, as on the page: a model that learned nothing,
        faults in the data, what the ingestion noted of them.
      changes: What is other than in the served model and in an earlier run, in sentences.
      run: Number of the run among those of its root; 0 where nobody counts.
      started: When it began, as ISO 8601 in UTC: on one machine the command, on Kubeflow the first step.
      report: The HTML page of the run; None where it ended before there was anything to show.
      report_error: Why RunReport failed, where it did; the run's outcome is what it was before.
    """

    status: Status
    components: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    drift: list[dict[str, Any]]
    images: dict[str, Any]
    pruned: dict[str, list[str]]
    votes: dict[str, Any]
    class_counts: dict[str, dict[str, int]]
    metrics: dict[str, Any]
    judgement: dict[str, Any]
    failed_checks: list[str]
    training: dict[str, Any]
    blessed: bool | None
    pushed_version: int | None
    push_dir: str
    seconds: float
    anomalies: list[dict[str, Any]]
    error: str | None
    notes: list[str] = dataclasses.field(default_factory=list)
    changes: list[str] = dataclasses.field(default_factory=list)
    run: int = 0
    started: str = ""
    report: str | None = None
    report_error: str | None = None

    def to_json(self) -> str:
        """Returns the summary as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"


def summarize(
    config: PipelineConfig,
    components: list[ComponentRun],
    seconds: float,
    error: BaseException | None,
) -> RunSummary:
    """Gathers the outcome of a run from its artifacts.

    Args:
      config: The settings of the run.
      components: What ML Metadata knows about it.
      seconds: How long it took.
      error: What ended it early, if anything.
    """
    artifacts = data_artifacts(components)
    manifest = manifest_of(artifacts)
    balanced = artifacts.get("balanced_examples")
    model_run = output(components, "Trainer", "model_run")
    evaluation = output(components, "Evaluator", "evaluation")
    blessing = output(components, "Evaluator", "blessing")
    push = output(components, "Pusher", "pushed_model")
    training = read_training(model_run.uri) if model_run else {}
    metrics = evaluation_metrics(evaluation.uri, list(config.labels)) if evaluation else {}
    judgement = judgement_of(evaluation.uri) if evaluation else None
    if judgement:
        metrics["split"] = judgement.split
    notes = []
    if metrics:
        interval, _ = bootstrap(np.array(metrics["confusion_matrix"]), config.seed)
        metrics["accuracy_interval"] = [interval.low, interval.high]
        notes += collapse(metrics["confusion_matrix"], config.labels, interval)
    findings = findings_of(artifacts)
    notes += findings_note(findings_in_short(findings))
    notes += notes_on(manifest) if manifest else []
    if metrics and training:
        metrics["train_accuracy"] = training["train"]["accuracy"]
        metrics["gap"] = metrics["train_accuracy"] - metrics["accuracy"]
    is_pushed = bool(push and push.custom_properties["pushed"].int_value)
    if isinstance(error, DataRejectedError):
        status = Status.ANOMALIES
    elif error is not None:
        status = Status.FAILED
    else:
        status = Status.PUSHED if is_pushed else Status.NOT_BLESSED
    return RunSummary(
        status=status,
        components=[{"id": c.id, "seconds": c.seconds, "cached": c.cached} for c in components],
        findings=[
            {key: value for key, value in finding.items() if key != "files"} for finding in findings
        ],
        drift=drift_of(artifacts),
        images=counts_by_split(manifest.table) if manifest else {},
        pruned=without_copies(paths_by_reason(manifest.table)) if manifest else {},
        votes=votes_of(manifest),
        class_counts=json.loads(balanced.custom_properties[CLASS_COUNTS_PROPERTY].string_value)
        if balanced
        else {},
        metrics=metrics,
        judgement=dataclasses.asdict(judgement) if judgement else {},
        failed_checks=[
            check.failure
            for check in (read_checks(evaluation.uri) if evaluation else [])
            if not check.passed
        ],
        training={key: training[key] for key in _TRAINING_KEYS if key in training}
        if training
        else {},
        blessed=bool(blessing.custom_properties["blessed"].int_value) if blessing else None,
        pushed_version=int(push.custom_properties["pushed_version"].string_value)
        if push and is_pushed
        else None,
        push_dir=config.push_path,
        seconds=seconds,
        anomalies=to_dicts(error.anomalies) if isinstance(error, AnomaliesError) else [],
        error=describe_failure(error, config.root) if error is not None else None,
        notes=notes,
    )


def data_artifacts(components: list[ComponentRun]) -> dict[str, mlmd.Artifact]:
    """Returns what there is of `manifest`, `findings`, `statistics`, `drift`, `balanced_examples`.

    The manifest is the audited one; ImageIngest's where the run did not get so far.
    """
    found = {key: output(components, *place) for key, place in _DATA_OUTPUTS.items()}
    found["manifest"] = found["manifest"] or output(components, "ImageIngest", "manifest")
    return {key: artifact for key, artifact in found.items() if artifact is not None}


def manifest_of(artifacts: dict[str, mlmd.Artifact]) -> Manifest | None:
    """Returns the manifest; None where there is none."""
    return read_manifest(artifacts["manifest"].uri) if "manifest" in artifacts else None


def votes_of(manifest: Manifest | None) -> dict[str, Any]:
    """Returns what became of the file of votes, and what they say of the folders; empty without."""
    if manifest is None or manifest.votes is None:
        return {}
    return {
        **dataclasses.asdict(manifest.votes),
        "folder_agreement": folder_agreement(manifest.table),
    }


def findings_of(artifacts: dict[str, mlmd.Artifact]) -> list[dict[str, Any]]:
    """Returns the findings as `findings.json` has them; empty where there are none."""
    if "findings" not in artifacts:
        return []
    return [one.to_json() for one in read_findings(artifacts["findings"].uri)]


def findings_in_short(findings: list[dict[str, Any]]) -> list[tuple[str, int, int, int]]:
    """Returns of each finding the kind, and how many groups, files, and files dropped from train."""
    return [(one["kind"], one["groups"], one["images"], one["dropped"]) for one in findings]


def drift_of(artifacts: dict[str, mlmd.Artifact]) -> list[dict[str, Any]]:
    """Returns the comparisons as `drift.json` has them; empty where there are none."""
    if "drift" not in artifacts:
        return []
    return [dataclasses.asdict(one) for one in read_drift(artifacts["drift"].uri)]


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
            *(summary.training[key] for key in _IN_WORDS if key in summary.training),
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
