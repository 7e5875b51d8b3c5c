"""The page that is left behind by a run on this machine, however it ended."""

import json
import logging
import os
import pathlib

from emotion_pipeline.components.anomaly_gate.anomalies import AnomaliesError
from emotion_pipeline.components.class_balancer.executor import CLASS_COUNTS_PROPERTY
from emotion_pipeline.components.records.run_records import ComponentRun, output
from emotion_pipeline.components.run_report.content import DataContent, ReportContent, RunContent
from emotion_pipeline.components.run_report.gather import component_times, read_data, versions
from emotion_pipeline.components.run_report.page import REPORT_FILE, copy_report, write_report
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.engines.secrets import shown
from emotion_pipeline.settings import to_dict
from emotion_pipeline.summary import data_artifacts


def leave_report(
    target: pathlib.Path,
    config: PipelineConfig,
    components: list[ComponentRun],
    error: Exception | None,
    *,
    title: str,
    outcome: str,
    is_good: bool,
) -> str | None:
    """Puts the page of a run at `target`, in place of an earlier one.

    It is what RunReport wrote. A run that ended before, or that was to end before, has the same page
    without the parts that never came to be.

    Args:
      target: The HTML file.
      config: The settings of the run.
      components: What ML Metadata knows about it.
      error: What ended it early, if anything.
      title: Of the page.
      outcome: How the run ended, in words.
      is_good: Whether that is what the user wanted.

    Returns:
      The file's path; None where the run ended before there was anything to show, or where the
      page failed, which the log tells. An earlier page, which tells of another run, goes then.
    """
    try:
        written = output(components, "RunReport", "report")
        if written:
            copy_report(os.path.join(written.uri, REPORT_FILE), target)
            return str(target)
        data = _read_data(components, error)
        if data:
            if data.anomalies:
                # The page lists them in their own section.
                outcome = f"Stopped: {len(data.anomalies)} anomalies in the data"
            run = RunContent(shown(to_dict(config)), versions(), component_times(components))
            write_report(ReportContent(title, outcome, is_good, data, run=run), target)
            return str(target)
    except Exception:  # how the run ended is more to the user than why the page failed
        logging.getLogger(__name__).exception("no report: it could not be written")
    target.unlink(missing_ok=True)
    return None


def _read_data(components: list[ComponentRun], error: Exception | None) -> DataContent | None:
    """Reads what there is of the data; None where there is no manifest."""
    artifacts = data_artifacts(components)
    if "manifest" not in artifacts:
        return None
    uris = {key: artifact.uri for key, artifact in artifacts.items()}
    balanced = artifacts.get("balanced_examples")
    counts = balanced.custom_properties[CLASS_COUNTS_PROPERTY].string_value if balanced else "{}"
    is_past_gate = any(one.id == "AnomalyGate" and one.complete for one in components)
    anomalies = error.anomalies if isinstance(error, AnomaliesError) else None
    return read_data(uris, json.loads(counts), [] if is_past_gate else anomalies)
