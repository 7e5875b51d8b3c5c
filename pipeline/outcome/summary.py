"""The outcome of a run, as `summary.json` has it."""

import dataclasses
import enum
import json
from typing import Any

import numpy as np

from emotion_pipeline.components.anomaly_gate.anomalies import AnomaliesError, to_dicts
from emotion_pipeline.components.class_balancer.executor import CLASS_COUNTS_PROPERTY
from emotion_pipeline.components.errors import DataRejectedError
from emotion_pipeline.components.failures import describe_failure
from emotion_pipeline.components.records.run_records import ComponentRun, output
from emotion_pipeline.components.records.training_record import read_training
from emotion_pipeline.components.run_report.evaluation import judgement_of, read_checks
from emotion_pipeline.components.run_report.intervals import bootstrap
from emotion_pipeline.components.run_report.verdict import collapse, findings_note
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.outcome.data_artifacts import (
    data_artifacts,
    data_outcome,
    findings_in_short,
    manifest_of,
)
from emotion_pipeline.outcome.evaluation_result import evaluation_metrics
from emotion_pipeline.validation.lines import without_copies

IN_WORDS = ("prior_correction", "int8")
_TRAINING_KEYS = ("epochs", "best_epoch", "resumed_at", "precision", "calibration", *IN_WORDS)
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


def status_of(error: BaseException | None, done: Status) -> Status:
    """Returns how what ended with an error ended, and `done` where there was none."""
    if error is None:
        return done
    return Status.ANOMALIES if isinstance(error, DataRejectedError) else Status.FAILED


def components_in_short(components: list[ComponentRun]) -> list[dict[str, Any]]:
    """Returns `id`, `seconds` and `cached` of each component that ran."""
    return [{"id": one.id, "seconds": one.seconds, "cached": one.cached} for one in components]


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
    data = data_outcome(artifacts, manifest_of(artifacts))
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
    notes += findings_note(findings_in_short(data.findings)) + data.notes
    if metrics and training:
        metrics["train_accuracy"] = training["train"]["accuracy"]
        metrics["gap"] = metrics["train_accuracy"] - metrics["accuracy"]
    is_pushed = bool(push and push.custom_properties["pushed"].int_value)
    status = status_of(error, Status.PUSHED if is_pushed else Status.NOT_BLESSED)
    return RunSummary(
        status=status,
        components=components_in_short(components),
        findings=[
            {key: value for key, value in finding.items() if key != "files"}
            for finding in data.findings
        ],
        drift=data.drift,
        images=data.images,
        pruned=without_copies(data.pruned),
        votes=data.votes,
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
