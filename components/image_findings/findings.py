"""What is wrong with the pictures of a manifest, and what each policy does about it."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable, Mapping

import pandas as pd

from emotion_pipeline.components.constants import TRAIN_SPLIT
from emotion_pipeline.components.image_findings.kinds import DROP, Kind, check_policies
from emotion_pipeline.components.image_findings.near_copies import LoadPixels, find_near_copies
from emotion_pipeline.components.image_findings.uninformative import find_uninformative
from emotion_pipeline.components.image_ingest.manifest import kept_rows, prune

FINDINGS_FILE = "findings.json"

_EXAMPLES = 5


@dataclasses.dataclass(frozen=True)
class Finding:
    """All groups of pictures that share one fault.

    kind: a `Kind`. policy: 'report', 'drop' or 'fail'. dropped: how many files the policy took out
    of train. groups: sorted paths of the files that belong together, the groups sorted. causes: how
    many files of `uninformative` there are of each cause, which are its groups; empty for the other
    kinds.
    """

    kind: str
    policy: str
    groups: tuple[tuple[str, ...], ...]
    dropped: int = 0
    causes: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def images(self) -> int:
        """How many files the groups hold."""
        return sum(len(group) for group in self.groups)

    def to_json(self) -> dict:
        """Returns the finding as `findings.json` holds it; `examples` are its first groups."""
        return {
            "kind": self.kind,
            "policy": self.policy,
            "groups": len(self.groups),
            "images": self.images,
            "dropped": self.dropped,
            "causes": self.causes,
            "examples": [list(group) for group in self.groups[:_EXAMPLES]],
            "files": [list(group) for group in self.groups],
        }


def audit(
    table: pd.DataFrame, load: LoadPixels, policies: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, list[Finding]]:
    """Returns the manifest's table with what the policies drop pruned, and a finding for each kind.

    Only train rows are dropped: eval and test stay what was published. Of copies in one class the
    first path stays; of conflicting labels none does.

    Args:
      table: The manifest.
      load: Reads the pixels of a path, for near copies.
      policies: Kind -> policy, over `Kind.default`.

    Raises:
      ValueError: An unknown kind or policy.
    """
    chosen = check_policies(policies or {})
    kept = kept_rows(table)
    causes = find_uninformative(kept)
    exact = _grouped(kept, "pixel_hash", [[key] for key in _repeated(kept["pixel_hash"])])
    near = _grouped(kept, "pixel_hash", find_near_copies(kept, load))
    groups = {
        Kind.CROSS_SPLIT_COPIES: _across(exact, "split"),
        Kind.CROSS_SPLIT_NEAR_COPIES: _across(near, "split"),
        Kind.CONFLICTING_LABELS: _across(exact, "label"),
        Kind.CONFLICTING_NEAR_LABELS: _across(near, "label"),
        Kind.EXACT_COPIES: exact,
        Kind.NEAR_COPIES: near,
        Kind.UNINFORMATIVE: _grouped(kept, "path", list(causes.values())),
    }
    findings = []
    for kind in Kind:
        dropped = 0
        if chosen[kind.value] == DROP:
            before = len(kept_rows(table))
            table = prune(table, _to_drop(kind, groups[kind]), kind.reason)
            dropped = before - len(kept_rows(table))
        findings.append(
            Finding(
                kind=kind.value,
                policy=chosen[kind.value],
                groups=_paths_of(groups[kind]),
                dropped=dropped,
                causes={cause: len(paths) for cause, paths in causes.items()}
                if kind is Kind.UNINFORMATIVE
                else {},
            )
        )
    return table, findings


def write_findings(findings: list[Finding], uri: str | os.PathLike) -> None:
    """Writes `findings.json`, a list of objects, into the folder `uri`, made if need be."""
    folder = pathlib.Path(uri)
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps([finding.to_json() for finding in findings], indent=1, ensure_ascii=False)
    (folder / FINDINGS_FILE).write_text(content + "\n", encoding="utf-8")


def read_findings(uri: str | os.PathLike) -> list[Finding]:
    """Reads what `write_findings` wrote into the folder `uri`."""
    content = json.loads((pathlib.Path(uri) / FINDINGS_FILE).read_text(encoding="utf-8"))
    return [
        Finding(
            kind=entry["kind"],
            policy=entry["policy"],
            groups=tuple(tuple(group) for group in entry["files"]),
            dropped=entry["dropped"],
            causes=entry["causes"],
        )
        for entry in content
    ]


def _grouped(kept: pd.DataFrame, column: str, groups: Iterable[Iterable[str]]) -> pd.DataFrame:
    """Returns the rows whose value is in a group, with the group's number in the column `group`."""
    number = {key: index for index, keys in enumerate(groups) for key in keys}
    return kept.assign(group=kept[column].map(number)).dropna(subset=["group"])


def _across(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Returns the rows of the groups with more than one value in the column."""
    return rows[rows.groupby("group")[column].transform("nunique") > 1]


def _paths_of(rows: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Returns the sorted paths of each group, sorted."""
    paths: dict[float, list[str]] = {}
    for group, path in zip(rows["group"], rows["path"], strict=True):
        paths.setdefault(group, []).append(path)
    return tuple(sorted(tuple(sorted(members)) for members in paths.values()))


def _repeated(values: pd.Series) -> list[str]:
    return sorted(values[values.duplicated()].unique())


def _to_drop(kind: Kind, rows: pd.DataFrame) -> set[str]:
    """Returns the train paths that the policy `drop` takes out."""
    train = rows[rows["split"] == TRAIN_SPLIT].sort_values("path")
    if kind in (Kind.EXACT_COPIES, Kind.NEAR_COPIES):
        train = train[train.duplicated(["group", "label"])]
    return set(train["path"])
