"""The page of a run on Kubeflow, and the run's number.

No step sees the whole run there: it has its own inputs, and what the launcher tells of the run. But all of them
have the root, on the volume that they share. So each leaves a record of itself in `reports/N/steps/` and copies of
what a page is made from; and the step that fails, or the last, makes the page of these as a run on one machine
does of ML Metadata.
"""

import contextlib
import dataclasses
import datetime
import json
import logging
import os
import pathlib
import shutil
import time
from collections.abc import Iterator, Mapping
from typing import Any

from emotion_pipeline.components.locks import alone
from emotion_pipeline.components.progress import report
from emotion_pipeline.components.records.run_records import ComponentRun
from emotion_pipeline.components.records.step_records import make_artifact, read_steps, write_step
from emotion_pipeline.components.records.training_record import TRAINING_FILE
from emotion_pipeline.components.run_report.history import format_time, seconds_since
from emotion_pipeline.components.run_report.page import take_links_off
from emotion_pipeline.components.run_report.record import (
    REPORT_FILE,
    REPORTS_DIR,
    RUNNING,
    RunFacts,
    read_records,
    run_folder,
    steps_folder,
    write_record,
)
from emotion_pipeline.components.sources.addresses import is_stored
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.outcome.conclude import Outcome, conclude
from emotion_pipeline.outcome.report import begin_run, list_runs
from emotion_pipeline.outcome.summary_text import format_summary
from emotion_pipeline.pipeline import REPORT

LOCK_FILE = ".lock"

_JOB, _JOB_NAME = "pipeline_job_uuid", "pipeline_job_name"

PLACEHOLDERS = {name: f"{{{{$.{name}}}}}" for name in (_JOB, _JOB_NAME)}
"""Parameters of a task that tell it which run it belongs to, with what stands for their values.

Kubeflow Pipelines puts them in since 2.4 (kubeflow/pipelines#11599), and Vertex AI. The time of the run's
creation would be another, since 2026 only.
"""

_ALL = "*"
_KEPT = {
    **dict.fromkeys(("manifest", "audited_manifest", "findings", "statistics", "drift"), _ALL),
    "evaluation": _ALL,
    "model_run": TRAINING_FILE,
}
"""By the key of an output, the files of it that a page is made from; of others the properties are enough."""


@dataclasses.dataclass
class Step:
    """One step's part in the page.

    Attributes:
      facts: Which run it belongs to; None where nobody can tell.
      output: The ExecutorOutput message, as JSON has it, with paths of this machine, once it is there.
    """

    facts: RunFacts | None = None
    output: dict[str, Any] = dataclasses.field(default_factory=dict)

    def properties(self, node_id: str) -> dict[str, str]:
        """Returns the execution properties that tell a node which run this is."""
        if node_id != REPORT or self.facts is None:
            return {}
        return {"run": json.dumps(dataclasses.asdict(self.facts))}


@contextlib.contextmanager
def reported(node_id: str, config: PipelineConfig, job: Mapping[str, str]) -> Iterator[Step]:
    """Runs a step within the block, and leaves behind what the page of its run needs.

    Whatever goes wrong with that is in the log, and changes nothing else.

    Args:
      node_id: The step.
      config: The run's settings.
      job: The values of `PLACEHOLDERS`, or what an older Kubeflow leaves in their place.
    """
    step = Step()
    start = time.monotonic()
    is_told = job.get(_JOB) and not job[_JOB].startswith("{{")
    if is_told and not is_stored(config.root):
        with _logged():
            step.facts = _begin(node_id, config, job)
    try:
        yield step
    except Exception as error:
        _end(node_id, config, step, time.monotonic() - start, error)
        raise
    _end(node_id, config, step, time.monotonic() - start, None)


@contextlib.contextmanager
def _logged() -> Iterator[None]:
    try:
        yield
    except Exception:  # how the step goes is more to the user than its page
        logging.getLogger(__name__).exception("the run's page and its place in the list")


def _locked(root: str) -> contextlib.AbstractContextManager[bool]:
    """Holds the list of runs: steps of several runs write it at once."""
    return alone(pathlib.Path(root, REPORTS_DIR, LOCK_FILE), "the list of runs", wait=True)


def _begin(node_id: str, config: PipelineConfig, job: Mapping[str, str]) -> RunFacts:
    """Returns which run it is, and lists it as under way; one that another step has ended stays so."""
    with _locked(config.root):
        facts = begin_run(config, job=job[_JOB], job_name=job[_JOB_NAME])
        others = [one for one in read_steps(steps_folder(facts)) if one.id != node_id]
        if all(one.complete for one in others):
            (record,) = (one for one in read_records(config.root) if one.number == facts.number)
            now = datetime.datetime.now(datetime.timezone.utc)
            told = f"under way: {node_id} since {format_time(now.isoformat())}"
            write_record(dataclasses.replace(record, status=RUNNING, outcome=told), config.root)
            list_runs(config.root, config.push_path)
    return facts


def _end(
    node_id: str, config: PipelineConfig, step: Step, seconds: float, error: Exception | None
) -> None:
    facts = step.facts
    if facts is None:
        return
    with _logged(), _locked(config.root):
        outputs = {
            key: [
                make_artifact(
                    _keep(key, one, steps_folder(facts) / node_id), one.get("metadata", {})
                )
                for one in value["artifacts"]
            ]
            for key, value in step.output.get("artifacts", {}).items()
        }
        is_complete = error is None
        write_step(steps_folder(facts), ComponentRun(node_id, seconds, False, is_complete, outputs))
        if is_complete and node_id != REPORT:
            return
        components = read_steps(steps_folder(facts))
        summary = conclude(facts, config, Outcome(components, seconds_since(facts.started), error))
        if is_complete:
            for line in format_summary(summary).splitlines():
                report(line)
            for one in step.output["artifacts"]["report"]["artifacts"]:
                take_links_off(os.path.join(one["uri"], REPORT_FILE))
        if summary.report:
            report(f"report: {run_folder(facts.root, facts.number) / REPORT_FILE}")


def _keep(key: str, artifact: Mapping[str, Any], folder: pathlib.Path) -> str:
    """Copies what a page needs of an artifact; returns the copy's folder, empty where it needs nothing.

    RunReport's own page is there to the end.
    """
    if key == "report":
        return artifact["uri"]
    if key not in _KEPT:
        return ""
    target = folder / key
    shutil.rmtree(target, ignore_errors=True)  # of an earlier try
    target.mkdir(parents=True)
    for source in pathlib.Path(artifact["uri"]).glob(_KEPT[key]):
        if source.is_dir():
            shutil.copytree(source, target / source.name, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, target / source.name)
    return str(target)
