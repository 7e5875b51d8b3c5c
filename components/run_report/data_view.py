"""The data's part of the page: counts, contact sheets, findings."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from emotion_pipeline.components.anomaly_gate.anomalies import Anomaly
from emotion_pipeline.components.constants import TRAIN_SPLIT
from emotion_pipeline.components.counted import first_few
from emotion_pipeline.components.image_findings.findings import Finding
from emotion_pipeline.components.image_findings.kinds import Kind
from emotion_pipeline.components.image_ingest.manifest import (
    PRUNED,
    Manifest,
    counts_by_split,
    kept_rows,
    notes_on,
    paths_by_reason,
    present_splits,
)
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason
from emotion_pipeline.components.run_report.charts import class_counts_chart, feature_chart
from emotion_pipeline.components.run_report.content import DataContent
from emotion_pipeline.components.run_report.pictures import Picture, read_picture, sample_rows
from emotion_pipeline.components.run_report.statistics import SplitStatistics
from emotion_pipeline.components.run_report.verdict import WORSE
from emotion_pipeline.components.run_report.votes_view import VotesView, make_votes_view

MAX_CLASSES = 40
"""Classes that have a row and a contact sheet; further ones are told by their number."""

_SHEET_PICTURES = 280
_MAX_PER_CLASS = 24
_MAX_GROUPS = 6
_MAX_PER_GROUP = 5
_MAX_FILES = 5


@dataclasses.dataclass(frozen=True)
class ClassRow:
    """The images of a class: `found` and `kept` by split, and in train after balancing, or None."""

    label: str
    found: dict[str, int]
    kept: dict[str, int]
    balanced: int | None


@dataclasses.dataclass(frozen=True)
class PruneRow:
    """How many files of a split were left out for one reason; `named` are the first of them."""

    split: str
    files: int
    named: str
    reason: str
    meaning: str


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Some pictures of one class, out of `total`."""

    label: str
    total: int
    pictures: list[Picture]


@dataclasses.dataclass(frozen=True)
class FindingView:
    """A finding, with some of its groups as pictures; `more` files of a group are not shown.

    `elsewhere` of its groups are shown under a worse kind, and `total` are left.
    """

    title: str
    meaning: str
    finding: Finding
    elsewhere: int
    total: int
    groups: list[tuple[list[Picture], int]]


@dataclasses.dataclass(frozen=True)
class FeatureView:
    """A feature's statistics by split, and their chart where there is something to draw."""

    name: str
    splits: dict[str, SplitStatistics]
    chart: Markup | None


@dataclasses.dataclass(frozen=True)
class AnomalyView:
    """An anomaly, with some of the files behind it as pictures."""

    anomaly: Anomaly
    pictures: list[Picture]
    more: int


@dataclasses.dataclass(frozen=True)
class DataView:
    """All that the template shows of the data."""

    source: str
    totals: dict[str, dict]
    pruned: list[PruneRow]
    classes: list[ClassRow]
    more_classes: int
    other_splits: tuple[str, ...]
    counts_chart: Markup | None
    sheets: list[Sheet]
    findings: list[FindingView] | None
    groups_across: int
    groups_of_copies: int
    features: list[FeatureView]
    anomalies: list[AnomalyView] | None
    notes: list[str]
    votes: VotesView | None


def make_data_view(content: DataContent) -> DataView:
    """Counts, reads the few pictures that are shown, and draws."""
    manifest = content.manifest
    totals = counts_by_split(manifest.table)
    rows = _class_rows(content)
    shown = rows[:MAX_CLASSES]
    return DataView(
        source=manifest.source,
        totals={split: counts for split, counts in totals.items() if counts["found"]},
        pruned=_prune_rows(manifest.table),
        classes=shown,
        more_classes=len(rows) - len(shown),
        other_splits=present_splits(manifest.table)[1:],
        counts_chart=_counts_chart(shown) if len(rows) == len(shown) else None,
        sheets=[_sheet(manifest, row.label, len(shown)) for row in shown],
        findings=None
        if content.findings is None
        else [
            _finding_view(manifest, one, content.findings) for one in content.findings if one.groups
        ],
        groups_across=_groups_of(content, Kind.CROSS_SPLIT_COPIES, Kind.CROSS_SPLIT_NEAR_COPIES),
        groups_of_copies=_groups_of(content, Kind.EXACT_COPIES, Kind.NEAR_COPIES),
        features=[
            FeatureView(name, dict(splits), feature_chart(name, splits))
            for name, splits in content.statistics.items()
        ],
        anomalies=None
        if content.anomalies is None
        else [_anomaly_view(manifest, one) for one in content.anomalies],
        notes=notes_on(manifest),
        votes=make_votes_view(manifest),
    )


def _class_rows(content: DataContent) -> list[ClassRow]:
    table = content.manifest.table
    labelled = table[table["label"] != ""]
    found = labelled.groupby(["label", "split"]).size()
    kept = kept_rows(labelled).groupby(["label", "split"]).size()
    splits = present_splits(table)
    rows = []
    for label in sorted(labelled["label"].unique()):
        balanced = content.class_counts.get(label)
        rows.append(
            ClassRow(
                label=label,
                found={split: int(found.get((label, split), 0)) for split in splits},
                kept={split: int(kept.get((label, split), 0)) for split in splits},
                balanced=balanced["after"] if balanced else None,
            )
        )
    return rows


def _prune_rows(table: pd.DataFrame) -> list[PruneRow]:
    meanings = {reason.value: reason.meaning for reason in PruneReason}
    pruned = table[table["status"] == PRUNED]
    return [
        PruneRow(split, len(paths), first_few(paths), reason, meanings.get(reason, ""))
        for split in (*present_splits(table), "other")
        for reason, paths in paths_by_reason(
            pruned[pruned["split"] == ("" if split == "other" else split)]
        ).items()
    ]


def _counts_chart(rows: Sequence[ClassRow]) -> Markup | None:
    if not rows:
        return None
    balanced = [row.balanced or 0 for row in rows]
    return class_counts_chart(
        [row.label for row in rows],
        {split: [row.kept[split] for row in rows] for split in rows[0].kept},
        balanced if any(balanced) else None,
    )


def _sheet(manifest: Manifest, label: str, num_classes: int) -> Sheet:
    rows = kept_rows(manifest.table, TRAIN_SPLIT)
    rows = rows[rows["label"] == label]
    count = min(_MAX_PER_CLASS, max(_SHEET_PICTURES // num_classes, 1))
    pictures = [read_picture(manifest.root, path) for path in sample_rows(rows, count)["path"]]
    return Sheet(label, len(rows), pictures)


def _groups_of(content: DataContent, *kinds: Kind) -> int:
    return sum(len(one.groups) for one in content.findings or () if one.kind in kinds)


def _finding_view(manifest: Manifest, finding: Finding, findings: Sequence[Finding]) -> FindingView:
    kind = next(kind for kind in Kind if kind == finding.kind)
    worse = {group for one in findings if one.kind in WORSE.get(kind, ()) for group in one.groups}
    left = [group for group in finding.groups if group not in worse]
    # Evenly over all groups, which are sorted by path: the first ones are all of one class.
    chosen = np.unique(np.linspace(0, len(left) - 1, _MAX_GROUPS).round().astype(int))
    groups = [left[number] for number in chosen if left]
    places = _places(manifest.table, [path for group in groups for path in group[:_MAX_PER_GROUP]])
    return FindingView(
        kind.heading,
        kind.meaning,
        finding,
        len(finding.groups) - len(left),
        len(left),
        [
            (
                [
                    read_picture(manifest.root, path, places.get(path, ""))
                    for path in group[:_MAX_PER_GROUP]
                ],
                max(len(group) - _MAX_PER_GROUP, 0),
            )
            for group in groups
        ],
    )


def _places(table: pd.DataFrame, paths: list[str]) -> dict[str, str]:
    """Returns `split, label` of each path."""
    rows = table[table["path"].isin(paths)]
    return {
        path: f"{split}, {label}"
        for path, split, label in zip(rows["path"], rows["split"], rows["label"], strict=True)
    }


def _anomaly_view(manifest: Manifest, anomaly: Anomaly) -> AnomalyView:
    named = anomaly.files[:_MAX_FILES]
    pictures = [read_picture(manifest.root, path) for path in named]
    return AnomalyView(anomaly, pictures, len(anomaly.files) - len(named))
