"""The pages that runs on this machine leave behind, however they ended."""

import dataclasses
import datetime
import json
import logging
import os
import pathlib
import shutil

from emotion_pipeline.components.anomaly_gate.anomalies import AnomaliesError
from emotion_pipeline.components.class_balancer.executor import CLASS_COUNTS_PROPERTY
from emotion_pipeline.components.code_version import code_version
from emotion_pipeline.components.counted import counted
from emotion_pipeline.components.locks import LockedError, alone
from emotion_pipeline.components.records.answers_record import ANSWERS_FILE, read_answers
from emotion_pipeline.components.records.run_records import ComponentRun, output
from emotion_pipeline.components.records.training_record import read_training
from emotion_pipeline.components.run_report.content import (
    ChangesContent,
    DataContent,
    Level,
    ReportContent,
    RunContent,
)
from emotion_pipeline.components.run_report.evaluation import judgement_of
from emotion_pipeline.components.run_report.gather import component_times, read_data, versions
from emotion_pipeline.components.run_report.history import (
    describe_data,
    read_changes,
    root_name,
    seconds_since,
)
from emotion_pipeline.components.run_report.page import (
    CARD_FILE,
    place_report,
    write_report,
    write_runs,
)
from emotion_pipeline.components.run_report.record import (
    INDEX_FILE,
    REPORT_FILE,
    REPORTS_DIR,
    SUMMARY_FILE,
    RunFacts,
    RunRecord,
    begin_record,
    claim_number,
    close_interrupted,
    damaged_records,
    digest_named_files,
    read_records,
    run_folder,
    write_record,
)
from emotion_pipeline.components.run_report.run_content import (
    data_notes,
    facts_shown,
    links_of,
    title_of,
)
from emotion_pipeline.components.run_report.settings_view import flatten
from emotion_pipeline.components.run_report.verdict import sentence
from emotion_pipeline.components.served_model import newest_version
from emotion_pipeline.components.write_file import write_whole
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.engines.secrets import shown
from emotion_pipeline.nearest_recipe import nearest_recipe
from emotion_pipeline.outcome.data_artifacts import data_artifacts, manifest_of
from emotion_pipeline.outcome.summary import RunSummary
from emotion_pipeline.outcome.summary_text import format_outcome
from emotion_pipeline.root_lock import LOCK_FILE
from emotion_pipeline.settings import to_dict

_LOG = "logs/run.log"


def new_run(config: PipelineConfig, started: datetime.datetime | None = None) -> RunFacts:
    """Returns which run begins now, the next number of the root, and puts it into the list of runs.

    What was under way in the root before is listed as interrupted: whoever begins a run has the root alone.

    Args:
      config: Its settings.
      started: As `begin_run` takes it.
    """
    close_interrupted(config.root)
    return begin_run(config, log=_LOG, started=started)


def begin_run(
    config: PipelineConfig,
    log: str = "",
    job: str = "",
    job_name: str = "",
    started: datetime.datetime | None = None,
) -> RunFacts:
    """Returns which run this is, the next of the root unless its job is listed, and lists it.

    Args:
      config: Its settings.
      log: As `RunFacts` has it, and so the others.
      job: Id that Kubeflow has given it; each of its steps may be the first to ask.
      job_name: What Kubeflow shows it as.
      started: From when its time counts; now where it is left out.
    """
    known = next((one for one in read_records(config.root) if job and one.job == job), None)
    start = started or datetime.datetime.now(datetime.timezone.utc)
    facts = RunFacts(
        number=known.number if known else claim_number(config.root),
        started=known.started if known else start.isoformat(timespec="seconds"),
        root=config.root,
        log=log,
        push_dir=config.push_path,
        job=job,
        job_name=job_name,
    )
    if known is None:
        recipe, settings = nearest_recipe(config), dict(flatten(shown(to_dict(config))))
        record = begin_record(facts, recipe["name"], recipe["differ"], settings, code_version())
        write_record(record, config.root)
        list_runs(config.root, config.push_path)
    return facts


def leave_interrupted(config: PipelineConfig) -> None:
    """Lists the run of a root that is under way as interrupted; its process has the root alone."""
    if close_interrupted(config.root):
        list_runs(config.root, config.push_path)


def list_interrupted(root: pathlib.Path) -> None:
    """Lists runs of a root that were killed as interrupted; does nothing while a run has the root."""
    try:
        with alone(root / LOCK_FILE, str(root), wait=False):
            if close_interrupted(root):
                settings = read_records(root)[-1].settings
                own = os.path.join(root, "pushed", str(settings.get("model_name", "")))
                list_runs(root, settings.get("push_dir") or own)
    except (LockedError, OSError):
        return  # it is under way, or the root is somebody else's


def changes_of(
    facts: RunFacts, config: PipelineConfig, components: list[ComponentRun]
) -> ChangesContent | None:
    """Returns what a run has changed, as its page tells it; None where that cannot be told.

    Args:
      facts: Which run it is.
      config: Its settings.
      components: What ML Metadata knows about it.
    """
    manifest = manifest_of(data_artifacts(components))
    if manifest is None:
        return None
    evaluation = output(components, "Evaluator", "evaluation")
    return read_changes(
        facts,
        dict(flatten(shown(to_dict(config)))),
        describe_data(manifest.table),
        read_answers(evaluation.uri) if evaluation else None,
        judgement_of(evaluation.uri).baseline if evaluation else "",
    )


def leave_report(
    facts: RunFacts,
    config: PipelineConfig,
    components: list[ComponentRun],
    error: Exception | None,
    summary: RunSummary,
) -> RunSummary:
    """Puts the page of a run into `reports/<number>/`, and a copy at `report.html` in the root.

    It is what RunReport wrote. A run that ended before, or that was to end before, has the same page
    without the parts that never came to be. Beside it are the summary, the answers of its model, the
    model's card, and the record by which later runs compare; `reports/index.html` has a row for each.

    Args:
      facts: Which run it is.
      config: Its settings.
      components: What ML Metadata knows about it.
      error: What ended it early, if anything.
      summary: How it ended.

    Returns:
      The summary with the run's time, that of the page included, and with the path of `report.html` in the root:
      None where the run ended before there was anything to show, or where the page failed, which the log tells. An
      earlier page, which tells of another run, goes from there then, and stays in its folder.
    """
    root = pathlib.Path(config.root)
    folder = run_folder(root, facts.number)
    newest = root / REPORT_FILE
    has_page = False
    try:
        has_page = _leave_page(facts, config, components, error, summary, folder)
    except Exception:  # how the run ended is more to the user than why the page failed
        logging.getLogger(__name__).exception("no report: it could not be written")
    summary = dataclasses.replace(summary, seconds=seconds_since(facts.started))
    try:
        if has_page:
            place_report(folder / REPORT_FILE, newest, root)
        _leave_record(facts, config, components, summary, has_page)
    except Exception:  # the disk is full, say
        logging.getLogger(__name__).exception("the run is not in the list of runs")
    if has_page and newest.is_file():
        return dataclasses.replace(summary, report=str(newest))
    newest.unlink(missing_ok=True)
    return summary


def _leave_page(
    facts: RunFacts,
    config: PipelineConfig,
    components: list[ComponentRun],
    error: Exception | None,
    summary: RunSummary,
    folder: pathlib.Path,
) -> bool:
    written = output(components, "RunReport", "report")
    if written:
        place_report(os.path.join(written.uri, REPORT_FILE), folder / REPORT_FILE, facts.root)
        shutil.copyfile(os.path.join(written.uri, CARD_FILE), folder / CARD_FILE)
        return True
    data = _read_data(components, error)
    if data is None:
        return False
    settings, recipe = shown(to_dict(config)), nearest_recipe(config)
    content = ReportContent(
        title=title_of(facts),
        # The page lists anomalies in their own section.
        outcome=f"Stopped: {counted(len(data.anomalies), 'anomaly', 'anomalies')} in the data"
        if data.anomalies
        else sentence(format_outcome(summary)),
        level=Level.BAD,
        data=data,
        run=RunContent(
            settings,
            versions(),
            component_times(components),
            recipe["name"],
            recipe["settings"],
        ),
        notes=data_notes(data),
        facts=facts_shown(facts, settings, recipe, data.manifest.source),
        links=links_of(facts, model_uri="", pushed_version="", baseline=""),
        changes=changes_of(facts, config, components),
    )
    write_report(content, folder / REPORT_FILE, facts.root)
    return True


def _leave_record(
    facts: RunFacts,
    config: PipelineConfig,
    components: list[ComponentRun],
    summary: RunSummary,
    has_page: bool,
) -> None:
    root = pathlib.Path(facts.root)
    folder = run_folder(root, facts.number)
    write_whole(
        folder / SUMMARY_FILE,
        dataclasses.replace(
            summary, report=str(folder / REPORT_FILE) if has_page else None
        ).to_json(),
    )
    evaluation = output(components, "Evaluator", "evaluation")
    if evaluation and os.path.exists(os.path.join(evaluation.uri, ANSWERS_FILE)):
        shutil.copyfile(os.path.join(evaluation.uri, ANSWERS_FILE), folder / ANSWERS_FILE)
    model_run = output(components, "Trainer", "model_run")
    manifest = manifest_of(data_artifacts(components))
    metrics = {}
    if summary.metrics:
        metrics = {key: summary.metrics[key] for key in _METRICS}
    settings, recipe = dict(flatten(shown(to_dict(config)))), nearest_recipe(config)
    record = RunRecord(
        number=facts.number,
        started=facts.started,
        seconds=summary.seconds,
        status=summary.status.value,
        outcome=format_outcome(summary),
        notes=summary.notes,
        recipe=recipe["name"],
        settings=settings,
        code=code_version(),
        data=describe_data(manifest.table) if manifest else {},
        metrics=metrics,
        history=read_training(model_run.uri)["history"] if model_run else [],
        pushed_version=summary.pushed_version,
        has_page=has_page,
        job=facts.job,
        files=digest_named_files(settings),
        own_settings=recipe["differ"],
    )
    write_record(record, root)
    list_runs(config.root, config.push_path)


def list_runs(root: str | os.PathLike, push_dir: str) -> None:
    """Writes the page over the runs of a root."""
    write_runs(
        read_records(root),
        f"Runs of {root_name(str(root))}",
        _served(push_dir),
        pathlib.Path(root) / REPORTS_DIR / INDEX_FILE,
        damaged_records(root),
    )


_METRICS = ("split", "accuracy", "accuracy_interval", "macro_f1")


def _served(push_dir: str) -> int | None:
    """Returns the version that is served; None where nothing is, or nobody can tell."""
    try:
        return newest_version(push_dir)
    except Exception:  # an object store that does not answer
        logging.getLogger(__name__).exception("what is served in %s is unknown", push_dir)
        return None


def _read_data(components: list[ComponentRun], error: Exception | None) -> DataContent | None:
    """Reads what there is of the data; None where there is no manifest."""
    artifacts = data_artifacts(components)
    if "manifest" not in artifacts:
        return None
    uris = {key: artifact.uri for key, artifact in artifacts.items() if artifact.uri}
    balanced = artifacts.get("balanced_examples")
    counts = balanced.custom_properties[CLASS_COUNTS_PROPERTY].string_value if balanced else "{}"
    is_past_gate = any(one.id == "AnomalyGate" and one.complete for one in components)
    anomalies = error.anomalies if isinstance(error, AnomaliesError) else None
    return read_data(uris, json.loads(counts), [] if is_past_gate else anomalies)
