"""Puts together what the page of a run says."""

import datetime
import os
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from emotion_pipeline.components.code_version import code_version
from emotion_pipeline.components.progress import format_secs
from emotion_pipeline.components.records.answers_record import Answers
from emotion_pipeline.components.run_report.content import (
    ComponentTime,
    DataContent,
    Level,
    Link,
    ModelContent,
    ReportContent,
    RunContent,
)
from emotion_pipeline.components.run_report.gather import versions
from emotion_pipeline.components.run_report.history import (
    describe_data,
    format_time,
    read_changes,
    root_name,
    seconds_since,
)
from emotion_pipeline.components.run_report.intervals import bootstrap
from emotion_pipeline.components.run_report.page import CARD_FILE
from emotion_pipeline.components.run_report.record import (
    INDEX_FILE,
    REPORT_FILE,
    REPORTS_DIR,
    SUMMARY_FILE,
    RunFacts,
    read_records,
    recipe_in_words,
)
from emotion_pipeline.components.run_report.settings_view import changed_from_recipe, flatten
from emotion_pipeline.components.run_report.verdict import (
    collapse,
    findings_note,
    not_pushed,
    pushed,
    sentence,
)


def describe_run(
    *,
    facts: RunFacts | None,
    settings: Mapping[str, Any],
    recipe: Mapping[str, Any],
    data: DataContent,
    components: Sequence[ComponentTime],
    model: ModelContent,
    answers: Answers,
    model_uri: str,
    pushed_version: str,
    is_dated: bool,
) -> ReportContent:
    """Returns the content of the page of a run whose model was evaluated.

    Args:
      facts: Which run this is; None where nobody numbers them.
      settings: The configuration, nested.
      recipe: As RunReport takes it.
      data: What is known of the data.
      components: Those before the report, with their times.
      model: What is known of the model.
      answers: The model's and those of the model to beat.
      model_uri: Folder of the model's artifact.
      pushed_version: The version it was pushed as; empty where it was not.
      is_dated: Whether a page of a run without facts says when it was made.
    """
    changes = read_changes(
        facts,
        dict(flatten(settings)),
        describe_data(data.manifest.table),
        answers,
        model.baseline,
    )
    learned = model_notes(model)
    level = Level.BAD
    if pushed_version:
        level = Level.WARNING if learned else Level.GOOD
    failures = [one.failure for one in model.checks if not one.passed]
    return ReportContent(
        title=title_of(facts),
        outcome=sentence(pushed(pushed_version) if pushed_version else not_pushed(failures)),
        level=level,
        data=data,
        model=model,
        run=RunContent(
            settings, versions(), components, recipe.get("name", ""), recipe.get("settings", {})
        ),
        notes=[*learned, *data_notes(data)],
        facts=facts_shown(facts, settings, recipe, data.manifest.source, is_dated),
        links=links_of(facts, model_uri, pushed_version, model.baseline),
        changes=changes,
    )


def model_notes(model: ModelContent) -> list[str]:
    """Returns what says that the model has learned nothing, or gave classes up."""
    confusion = model.predictions.confusion()
    interval, _ = bootstrap(confusion, model.seed)
    return collapse(confusion.tolist(), model.predictions.class_names, interval)


def data_notes(data: DataContent) -> list[str]:
    """Returns the findings in a line; empty where there are none or nobody looked."""
    return findings_note(
        (one.kind, len(one.groups), one.images, one.dropped) for one in data.findings or ()
    )


def title_of(facts: RunFacts | None) -> str:
    """Returns what the page is of."""
    return f"Run {facts.number} of {root_name(facts.root)}" if facts else "Run of the pipeline"


def facts_shown(
    facts: RunFacts | None,
    settings: Mapping[str, Any],
    recipe: Mapping[str, Any],
    source: str,
    is_dated: bool = False,
) -> dict[str, str]:
    """Returns which run this is, by name, for the head of the page."""
    shown = {}
    if facts:
        shown["Started"] = format_time(facts.started)
        if facts.job:
            shown["Pipeline run"] = f"{facts.job_name} ({facts.job})"
        shown["Took"] = f"{format_secs(seconds_since(facts.started))} up to this page"
    elif is_dated:
        now = datetime.datetime.now(datetime.timezone.utc)
        shown["Made"] = format_time(now.isoformat(timespec="seconds"))
    if recipe:
        differ = len(changed_from_recipe(settings, recipe["settings"]))
        shown["Recipe"] = recipe_in_words(recipe["name"], differ)
    shown["Data"] = source
    shown["Code"] = code_version()
    return shown


def links_of(
    facts: RunFacts | None, model_uri: str, pushed_version: str, baseline: str
) -> list[Link]:
    """Returns the files beside a page in a run's root; none where there is no root.

    Args:
      facts: Which run it is.
      model_uri: Folder of the model's artifact; empty without a model.
      pushed_version: The version it was pushed as; empty where it was not.
      baseline: Version of the model to beat; empty without one.
    """
    if facts is None:
        return []
    here = posixpath.join(REPORTS_DIR, str(facts.number))
    links = [
        Link("all runs", posixpath.join(REPORTS_DIR, INDEX_FILE)),
        Link("summary", posixpath.join(here, SUMMARY_FILE)),
    ]
    if model_uri:
        links.append(Link("model card", posixpath.join(here, CARD_FILE)))
        served = os.path.join(facts.push_dir, pushed_version)
        folder = served if pushed_version and "://" not in served else model_uri
        # On Kubeflow the models lie on another volume, or nowhere that outlasts the step.
        if "://" not in folder and not facts.job:
            title = "pushed model" if pushed_version else "model, not pushed"
            links.append(Link(title, os.path.relpath(folder, facts.root)))
    if facts.log:
        links.append(Link("log", facts.log))
    earlier = [
        one for one in read_records(facts.root) if one.number < facts.number and one.has_page
    ]
    for one in earlier[-1:]:
        links.append(Link(f"run {one.number}, before", _page_of(one.number)))
    for one in earlier:
        if baseline and str(one.pushed_version) == baseline:
            links.append(Link(f"run {one.number}, of the model to beat", _page_of(one.number)))
            break
    return links


def _page_of(number: int) -> str:
    return posixpath.join(REPORTS_DIR, str(number), REPORT_FILE)
