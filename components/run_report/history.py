"""This run beside the model to beat and beside the run before."""

import dataclasses
import datetime
import hashlib
import logging
import os
import zipfile
from collections.abc import Mapping
from typing import Any

import pandas as pd

from emotion_pipeline.components.image_ingest.manifest import kept_rows, present_splits
from emotion_pipeline.components.records.answers_record import Answers, read_answers
from emotion_pipeline.components.run_report.changes import (
    ModelChange,
    SettingChange,
    changed_data,
    changed_settings,
    compare_answers,
    describe_change,
)
from emotion_pipeline.components.run_report.content import ChangesContent
from emotion_pipeline.components.run_report.record import (
    RunFacts,
    RunRecord,
    digest_named_files,
    read_records,
    run_folder,
)

_MAX_SETTINGS = 6
"""Settings that are told in a sentence; the page has them all."""


def read_changes(
    facts: RunFacts | None,
    settings: Mapping[str, Any],
    data: Mapping[str, Any],
    answers: Answers | None = None,
    baseline: str = "",
) -> ChangesContent | None:
    """Compares a run with the model to beat, and with the latest earlier one of its root.

    Of the earlier runs it is the latest that has a model, where this one has, too.

    Args:
      facts: Which run this is; None where earlier ones are out of sight.
      settings: The configuration, flat.
      data: As `describe_data` returns it.
      answers: The model's, and those of the one to beat; None where there is no model.
      baseline: Version of the one to beat.

    Returns:
      What has changed; None where there is nothing to compare with.
    """
    before = _before(facts, has_model=answers is not None)
    models: list[ModelChange | None] = []
    pushed_it = before is not None and str(before.pushed_version) == baseline
    if answers is not None and answers.baseline is not None:
        words = f"version {baseline}, the model to beat"
        if before is not None and pushed_it:
            words += f", of run {before.number}"
        other = dataclasses.replace(answers.predictions, probabilities=answers.baseline)
        models.append(compare_answers(words, answers.predictions, other))
    if answers is not None and before is not None and facts is not None and not pushed_it:
        kept = _kept_answers(facts.root, before.number)
        if kept is not None:
            words = f"run {before.number}"
            models.append(compare_answers(words, answers.predictions, kept.predictions))
    found = [one for one in models if one is not None]
    if before is None:
        return ChangesContent(found) if found else None
    return ChangesContent(
        models=found,
        since=f"run {before.number} of {format_time(before.started)}",
        settings=[
            *changed_settings(before.settings, settings),
            *_changed_files(before.files, digest_named_files(settings)),
        ],
        data=changed_data(before.data, data),
    )


def _changed_files(before: Mapping[str, str], now: Mapping[str, str]) -> list[SettingChange]:
    """Returns the files, named by settings in both runs, in which something else is now."""
    return [
        SettingChange(f"what is in {name}", before[name], digest)
        for name, digest in now.items()
        if before.get(name, digest) != digest
    ]


def _before(facts: RunFacts | None, has_model: bool) -> RunRecord | None:
    if facts is None:
        return None
    earlier = [
        one for one in read_records(facts.root) if one.number < facts.number and one.has_ended
    ]
    if has_model:
        earlier = [one for one in earlier if one.metrics]
    return earlier[-1] if earlier else None


def _kept_answers(root: str, number: int) -> Answers | None:
    """Returns the answers of an earlier run; None where they are gone or damaged."""
    try:
        return read_answers(str(run_folder(root, number)))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        logging.getLogger(__name__).exception("the answers of run %d cannot be read", number)
        return None


def describe_changes(changes: ChangesContent | None) -> list[str]:
    """Returns the changes in sentences, for the terminal; none where there is nothing to tell."""
    if changes is None:
        return []
    lines = [describe_change(one) for one in changes.models]
    if changes.since:
        told = [
            f"{one.name} {shown(one.before)} to {shown(one.now)}"
            for one in changes.settings[:_MAX_SETTINGS]
        ]
        more = len(changes.settings) - len(told)
        told += [f"and {more} more"] if more else []
        lines.append(f"settings since {changes.since}: {'; '.join(told) or 'the same'}")
        lines.append(f"pictures since then: {'; '.join(changes.data) or 'the same'}")
    return lines


def shown(value: Any) -> str:
    """Returns a setting's value as people read it."""
    if value is None:
        return "not there"
    return "empty" if value in ("", [], {}) else str(value)


def describe_data(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Returns what the kept pictures of each split are.

    Args:
      table: The manifest's.

    Returns:
      By split `pictures`, `classes` (the number of each) and `digest`, which is the same for the same
      labels and contents under the same paths.
    """
    described = {}
    for split in present_splits(table):
        rows = kept_rows(table, split).sort_values("path")
        lines = rows["path"] + "\0" + rows["label"] + "\0" + rows["content_hash"]
        counts = rows["label"].value_counts()
        described[split] = {
            "pictures": len(rows),
            "classes": {label: int(counts[label]) for label in sorted(counts.index)},
            "digest": hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16],
        }
    return described


def format_time(iso: str) -> str:
    """Returns a time as people read it.

    Example:
      >>> format_time("2026-11-30T05:20:00+00:00")
      '30 Nov 2026, 05:20 UTC'
    """
    return f"{datetime.datetime.fromisoformat(iso):%d %b %Y, %H:%M} UTC"


def seconds_since(iso: str) -> float:
    """Returns the seconds that have passed since a time."""
    start = datetime.datetime.fromisoformat(iso)
    return (datetime.datetime.now(datetime.timezone.utc) - start).total_seconds()


def root_name(root: str) -> str:
    """Returns the last part of a root's path, by which people know it."""
    return os.path.basename(os.path.normpath(root))
