"""The outcome of a validation, as JSON and as lines for the terminal."""

import dataclasses
import datetime
import json
import pathlib
import time
from typing import Any

import pandas as pd

from emotion_pipeline.components.anomaly_gate.anomalies import (
    AnomaliesError,
    Anomaly,
    describe,
    exceeded_drift,
    to_dicts,
)
from emotion_pipeline.components.code_version import code_version
from emotion_pipeline.components.counted import counted
from emotion_pipeline.components.drift_validator.statistics import load_statistics
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.failures import describe_failure
from emotion_pipeline.components.image_findings.kinds import FAIL
from emotion_pipeline.components.image_ingest.manifest import (
    kept_rows,
    notes_on,
    present_splits,
)
from emotion_pipeline.components.progress import format_secs, report
from emotion_pipeline.components.records.run_records import output
from emotion_pipeline.components.run_report.content import Level, ReportContent
from emotion_pipeline.components.run_report.gather import read_data
from emotion_pipeline.components.run_report.history import format_time
from emotion_pipeline.components.run_report.page import write_report
from emotion_pipeline.components.run_report.verdict import findings_note, sentence
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.local_runner import run_until
from emotion_pipeline.outcome.conclude import Outcome
from emotion_pipeline.outcome.data_artifacts import (
    data_artifacts,
    data_outcome,
    findings_in_short,
    manifest_of,
)
from emotion_pipeline.outcome.summary import Status, components_in_short, status_of
from emotion_pipeline.pipeline import STATISTICS_END, VALIDATION_END
from emotion_pipeline.validation.baseline import find_statistics
from emotion_pipeline.validation.lines import (
    drift_lines,
    finding_lines,
    image_lines,
    pruned_lines,
    votes_lines,
)
from emotion_pipeline.validation.schema_proposal import format_proposal, propose_schema
from emotion_pipeline.validation.schemas import check_classes, load_schema
from emotion_pipeline.validation.served_requests import (
    compare_requests,
    measure_requests,
    read_requests,
)


@dataclasses.dataclass(frozen=True)
class Validation:
    """What `--json` writes.

    Attributes:
      status: `clean`, `anomalies` or `failed`.
      images: Per split `found`, `kept`, `pruned` and `pruned_by_reason`.
      pruned: By reason the paths of all files that are not used.
      votes: What became of the file of votes, as in a run's summary; empty without.
      class_counts: Per class the images kept in each split.
      notes: What else is to be known of the data set: a split that is not used, a class that could not
        be split as was asked for, pictures of another size.
      findings: What the audit found, as in `emotion_pipeline.components.image_findings`, each file listed.
      drift: The distances between splits, as in `emotion_pipeline.components.drift_validator`.
      anomalies: `split`, `feature`, `short_description`, `long_description`, `files` and `remedy`
        of each.
      artifacts: Folders of the artifacts `manifest` (audited, where it came so far), `findings`,
        `statistics` and `drift`, of those that were made.
      components: `id`, `seconds` and `cached` of each component that ran.
      seconds: Of the whole validation.
      error: What ended it early, where that was not an anomaly.
    """

    status: Status
    images: dict[str, Any]
    pruned: dict[str, list[str]]
    votes: dict[str, Any]
    class_counts: dict[str, dict[str, int]]
    notes: list[str]
    findings: list[dict[str, Any]]
    drift: list[dict[str, Any]]
    anomalies: list[dict[str, Any]]
    artifacts: dict[str, str]
    components: list[dict[str, Any]]
    seconds: float
    error: str | None

    def to_json(self) -> str:
        """Returns the outcome as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"


def validate(config: PipelineConfig) -> Validation:
    """Runs the pipeline up to where all is known of the data.

    Drift is an anomaly here whatever the policy: whoever validates wants to know.

    Args:
      config: The settings; `root` is an absolute path.
    """
    strict = dataclasses.replace(config, findings=dataclasses.replace(config.findings, drift=FAIL))
    found = _gather(run_until(strict, VALIDATION_END), config.root)
    if found.status is Status.FAILED:
        return found
    return dataclasses.replace(found, notes=[*found.notes, *_note_on_classes(config)])


def _note_on_classes(config: PipelineConfig) -> list[str]:
    """Returns what keeps a run with these settings from starting, though the data are as the schema says."""
    try:
        check_classes(load_schema(config.schema_path), config.labels, config.schema_path)
    except UserError as error:
        return [f"`emotion run` with these settings would stop. {error}"]
    return []


def validate_requests(config: PipelineConfig) -> Validation:
    """Compares pictures that a server was sent with the training data of the run `config.against`.

    Args:
      config: The settings; `data` is a folder of pictures or of logs of requests.

    Raises:
      UserError: The pictures, the run or the schema cannot be used.
    """
    start = time.monotonic()
    schema = load_schema(config.schema_path)
    requests = measure_requests(read_requests(pathlib.Path(config.data)))
    comparison = compare_requests(requests, find_statistics(config.against), schema)
    anomalies = exceeded_drift([comparison])
    return Validation(
        status=Status.ANOMALIES if anomalies else Status.CLEAN,
        images={"requests": requests.counts},
        pruned={},
        votes={},
        class_counts={},
        notes=[],
        findings=[],
        drift=[dataclasses.asdict(comparison)],
        anomalies=to_dicts(anomalies),
        artifacts={},
        components=[],
        seconds=time.monotonic() - start,
        error=None,
    )


def infer_schema(config: PipelineConfig) -> str:
    """Runs the pipeline up to the statistics and returns the text of a schema that fits them.

    Args:
      config: The settings; `root` is an absolute path.

    Raises:
      UserError: What ended the run early.
    """
    outcome = run_until(config, STATISTICS_END)
    manifest = manifest_of(data_artifacts(outcome.components))
    for note in notes_on(manifest) if manifest else []:
        report(note)
    found = output(outcome.components, "StatisticsGen", "statistics")
    if outcome.error is not None or found is None:
        error = outcome.error or RuntimeError("there are no statistics")
        raise UserError(describe_failure(error, config.root)) from outcome.error
    statistics = load_statistics(found.uri)
    schema = propose_schema(statistics, load_schema(config.schema_path))
    return format_proposal(schema, statistics, config.data)


def _gather(outcome: Outcome, root: str) -> Validation:
    error = outcome.error
    status = status_of(error, Status.CLEAN)
    artifacts = data_artifacts(outcome.components)
    manifest = manifest_of(artifacts)
    data = data_outcome(artifacts, manifest)
    return Validation(
        status=status,
        images=data.images,
        pruned=data.pruned,
        votes=data.votes,
        class_counts=class_counts(manifest.table) if manifest else {},
        notes=data.notes,
        findings=data.findings,
        drift=data.drift,
        anomalies=to_dicts(error.anomalies) if isinstance(error, AnomaliesError) else [],
        artifacts={key: artifact.uri for key, artifact in artifacts.items()},
        components=components_in_short(outcome.components),
        seconds=outcome.seconds,
        error=describe_failure(error, root)
        if error is not None and status is Status.FAILED
        else None,
    )


def class_counts(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Returns class -> split -> kept images, the classes sorted."""
    kept = kept_rows(table)
    counts = kept.groupby(["label", "split"]).size()
    splits = present_splits(table)
    return {
        label: {split: int(counts.get((label, split), 0)) for split in splits}
        for label in sorted(kept["label"].unique())
    }


def write_validation_report(validation: Validation, source: str, path: pathlib.Path) -> bool:
    """Writes the outcome as a page; returns whether there was anything to show.

    A validation that ended before there was a manifest, or that compared requests, has nothing.
    """
    if "manifest" not in validation.artifacts:
        return False
    notes = findings_note(findings_in_short(validation.findings))
    level = Level.BAD
    if validation.status is Status.CLEAN:
        level = Level.WARNING if notes else Level.GOOD
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    content = ReportContent(
        title=f"Validation of {source}",
        outcome=sentence(format_outcome(validation)),
        level=level,
        data=read_data(
            validation.artifacts,
            anomalies=None
            if validation.status is Status.FAILED
            else [Anomaly(**one) for one in validation.anomalies],
        ),
        notes=notes,
        facts={
            "Made": format_time(now),
            "Took": format_secs(validation.seconds),
            "Code": code_version(),
        },
    )
    write_report(content, path)
    return True


def format_outcome(validation: Validation) -> str:
    """Returns how the validation ended, in words."""
    if validation.status is Status.FAILED:
        return f"failed: {validation.error}"
    found = [one for one in validation.findings if one["groups"]]
    if validation.status is Status.CLEAN:
        return "no anomalies, but findings" if found else "clean: no anomalies, no findings"
    return counted(len(validation.anomalies), "anomaly", "anomalies")


def format_validation(validation: Validation) -> str:
    """Returns the outcome as lines for the terminal."""
    lines = ["", *image_lines(validation.images), *pruned_lines(validation.pruned)]
    if validation.class_counts:
        splits = list(next(iter(validation.class_counts.values())))
        lines += ["", f"{'class':10}" + "".join(f" {split:>7}" for split in splits)]
        for label, counts in validation.class_counts.items():
            lines.append(f"{label:10}" + "".join(f" {counts[split]:7}" for split in splits))
    lines += votes_lines(validation.votes)
    lines += finding_lines(validation.findings, validation.images)
    lines += drift_lines(validation.drift)
    lines.append("")
    lines.append(format_outcome(validation) + (":" if validation.anomalies else ""))
    lines += [describe(Anomaly(**one)) for one in validation.anomalies]
    lines += findings_note(findings_in_short(validation.findings))
    lines += validation.notes
    lines.append(f"{format_secs(validation.seconds)} in all")
    return "\n".join(lines)
