"""What a run or a validation knows of its data, read from its artifacts."""

import dataclasses
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as mlmd

from emotion_pipeline.components.drift_validator.drift import read_drift
from emotion_pipeline.components.image_findings.findings import read_findings
from emotion_pipeline.components.image_ingest.folder_agreement import folder_agreement
from emotion_pipeline.components.image_ingest.manifest import (
    Manifest,
    counts_by_split,
    notes_on,
    paths_by_reason,
    read_manifest,
)
from emotion_pipeline.components.records.run_records import ComponentRun, output

_DATA_OUTPUTS = {
    "manifest": ("ImageAudit", "audited_manifest"),
    "findings": ("ImageAudit", "findings"),
    "statistics": ("StatisticsGen", "statistics"),
    "drift": ("DriftValidator", "drift"),
    "balanced_examples": ("ClassBalancer", "balanced_examples"),
}
"""What tells of the data: the component and the key of its output."""


@dataclasses.dataclass(frozen=True)
class DataOutcome:
    """What a run's summary and a validation both tell of the data.

    Attributes:
      images: Per split `found`, `kept`, `pruned` and `pruned_by_reason`.
      pruned: By reason the paths of all files that are not used.
      votes: What became of the file of votes, and what they say of the folders; empty without.
      notes: What the ingestion noted.
      findings: As `findings.json` has them.
      drift: The comparisons, as `drift.json` has them.
    """

    images: dict[str, Any]
    pruned: dict[str, list[str]]
    votes: dict[str, Any]
    notes: list[str]
    findings: list[dict[str, Any]]
    drift: list[dict[str, Any]]


def data_outcome(artifacts: dict[str, mlmd.Artifact], manifest: Manifest | None) -> DataOutcome:
    """Reads what the artifacts of `data_artifacts` tell; what is not there is empty."""
    return DataOutcome(
        images=counts_by_split(manifest.table) if manifest else {},
        pruned=paths_by_reason(manifest.table) if manifest else {},
        votes=_votes_of(manifest),
        notes=notes_on(manifest) if manifest else [],
        findings=_findings_of(artifacts),
        drift=_drift_of(artifacts),
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


def _votes_of(manifest: Manifest | None) -> dict[str, Any]:
    if manifest is None or manifest.votes is None:
        return {}
    return {
        **dataclasses.asdict(manifest.votes),
        "folder_agreement": folder_agreement(manifest.table),
    }


def _findings_of(artifacts: dict[str, mlmd.Artifact]) -> list[dict[str, Any]]:
    if "findings" not in artifacts:
        return []
    return [one.to_json() for one in read_findings(artifacts["findings"].uri)]


def findings_in_short(findings: list[dict[str, Any]]) -> list[tuple[str, int, int, int]]:
    """Returns of each finding the kind, and how many groups, files, and files dropped from train."""
    return [(one["kind"], one["groups"], one["images"], one["dropped"]) for one in findings]


def _drift_of(artifacts: dict[str, mlmd.Artifact]) -> list[dict[str, Any]]:
    if "drift" not in artifacts:
        return []
    return [dataclasses.asdict(one) for one in read_drift(artifacts["drift"].uri)]
