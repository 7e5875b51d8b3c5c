"""Anomalies in words: what was found, in which files, and what to do about it."""

import dataclasses
from collections.abc import Iterable

import pandas as pd
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from emotion_pipeline.components import features
from emotion_pipeline.components.constants import TRAIN_SPLIT
from emotion_pipeline.components.counted import counted, first_few
from emotion_pipeline.components.drift_validator.drift import Comparison
from emotion_pipeline.components.errors import DataRejectedError
from emotion_pipeline.components.image_findings.findings import Finding
from emotion_pipeline.components.image_findings.kinds import DROP, FAIL, REPORT
from emotion_pipeline.components.image_ingest.manifest import kept_rows
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason
from emotion_pipeline.components.schema_features import feature_of, string_domain

MAX_FILES_NAMED = 5

_DATASET_LEVEL = "(data set)"
_ALL_SPLITS = "all splits"

_MANIFEST_COLUMN = {features.SIZE_BYTES_KEY: "bytes"}

_OTHER_CLASSES = "run with a schema (--set schema=FILE) and class names (--set labels=[...])"
_OTHER_SIZE = (
    "crop or resize the pictures to 48x48 pixels, or remove them; or run with a schema that allows "
    "their size (emotion schema infer SOURCE --out FILE, then --set schema=FILE), and they are resized "
    "as the served model does"
)
_REMEDIES = {
    features.LABEL_KEY: (
        "rename or remove the class folder, or say which class it is (--set class_names.FOLDER=CLASS), "
        f"or {_OTHER_CLASSES} that know it"
    ),
    features.WIDTH_KEY: _OTHER_SIZE,
    features.HEIGHT_KEY: _OTHER_SIZE,
    _DATASET_LEVEL: "put pictures into the class folders of this split",
}
_TOO_FEW_GROUPS = (
    "put more pictures into the class folders; where --group-by is given, leave it out or give one that "
    "names a single person or film, since the pictures in which it matches the same stay together"
)
_DEFAULT_REMEDY = (
    "remove or mend the pictures, or widen this feature in the schema after a look at them"
)


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """One way in which the data is not as it must be.

    Attributes:
      split: Name of the split; of a comparison such as `train_vs_eval`; or `all splits`.
      feature: Name of the feature, or `(data set)`, or the kind of a finding.
      short_description: TFDV's, or how many groups were found.
      long_description: TFDV's, or what the finding means.
      files: Paths of files behind it, relative to the data set's root; empty where it has none.
      remedy: What the user can do.
    """

    split: str
    feature: str
    short_description: str
    long_description: str
    files: tuple[str, ...]
    remedy: str


class AnomaliesError(DataRejectedError):
    """The data is not as it must be; `anomalies` lists how."""

    def __init__(self, anomalies: list[Anomaly]):
        """Composes the message from the anomalies."""
        self.anomalies = anomalies
        many = counted(len(anomalies), "anomaly", "anomalies")
        super().__init__("\n".join([f"{many}:", *map(describe, anomalies)]))


def has_anomalies(found: anomalies_pb2.Anomalies) -> bool:
    """Returns whether ExampleValidator found anything in a split."""
    return bool(found.anomaly_info or found.data_missing or found.HasField("dataset_anomaly_info"))


def find_anomalies(
    found: anomalies_pb2.Anomalies,
    schema: schema_pb2.Schema,
    manifest: pd.DataFrame,
    split: str,
    drawn: bool = False,
) -> list[Anomaly]:
    """Lists the anomalies of one split.

    Args:
      found: What ExampleValidator wrote for the split.
      schema: The schema it compared with.
      manifest: The manifest's table.
      split: Name of the split.
      drawn: Whether the splits were drawn, of a source that has none.

    Returns:
      An anomaly for each feature and one for the data set as a whole, sorted by feature.
    """
    rows = kept_rows(manifest, split)
    locked = _unlisted_folders(manifest, None if drawn else split)
    result = []
    if found.HasField("dataset_anomaly_info"):
        info = found.dataset_anomaly_info
        result.append(_anomaly(split, _DATASET_LEVEL, info, ()))
    if found.data_missing:
        # TFDV compares nothing where there are no Examples, and says so in this field alone.
        found_files = tuple(manifest["path"][manifest["split"] == split])
        info = anomalies_pb2.AnomalyInfo(
            short_description="No examples",
            description=f"The split is empty: of {len(found_files)} files none is kept.",
        )
        empty = _anomaly(split, _DATASET_LEVEL, info, found_files)
        if drawn and not found_files:
            empty = dataclasses.replace(
                empty,
                long_description="The split is drawn, and empty: the pictures fall into too few groups.",
                remedy=_TOO_FEW_GROUPS,
            )
        result.append(_with_unlisted(empty, list(locked["path"])))
    for feature, info in sorted(found.anomaly_info.items()):
        missing = missing_values(schema, feature, rows)
        files = files_outside(schema, feature, rows)
        lacking = locked["path"][locked["label"].isin(missing)]
        anomaly = _anomaly(split, feature, info, files, missing)
        result.append(_with_unlisted(anomaly, list(lacking)))
    return result


def _unlisted_folders(manifest: pd.DataFrame, split: str | None) -> pd.DataFrame:
    """Returns the rows of folders that could not be listed, of one split or of all."""
    rows = manifest[manifest["reason"] == PruneReason.UNREADABLE_FOLDER.value]
    return rows if split is None else rows[rows["split"] == split]


def _with_unlisted(anomaly: Anomaly, folders: list[str]) -> Anomaly:
    """Returns the anomaly that also says which folders, that may hold what lacks, could not be listed."""
    if not folders:
        return anomaly
    named = first_few(f"{folder}/" for folder in folders)
    return dataclasses.replace(
        anomaly,
        long_description=f"{anomaly.long_description} Could not be listed: {named}.",
        remedy=f"make {named} readable; or {anomaly.remedy}",
    )


def missing_values(schema: schema_pb2.Schema, feature: str, rows: pd.DataFrame) -> tuple[str, ...]:
    """Returns the values of the feature's domain in the schema, such as classes, that no row has."""
    domain = string_domain(schema, feature)
    if domain is None or feature not in rows:
        return ()
    present = set(rows[feature])
    return tuple(value for value in domain.value if value not in present)


def forbidden_findings(findings: Iterable[Finding]) -> list[Anomaly]:
    """Lists the findings whose policy is `fail` and that found something."""
    return [
        Anomaly(
            split=_ALL_SPLITS,
            feature=finding.kind,
            short_description=f"{len(finding.groups)} groups, {finding.images} files",
            long_description=f"The policy of {finding.kind} is '{FAIL}'.",
            files=tuple(path for group in finding.groups for path in group),
            remedy=f"mend the data, or --set findings.{finding.kind}={DROP} (or {REPORT})",
        )
        for finding in findings
        if finding.policy == FAIL and finding.groups
    ]


def dropped_too_much(
    findings: Iterable[Finding], kept_in_train: int, max_fraction: float
) -> list[Anomaly]:
    """Lists the one anomaly of an audit that dropped more than a share of the train pictures.

    Args:
      findings: What the audit found and dropped.
      kept_in_train: How many train pictures are left.
      max_fraction: The largest share, of those left and dropped together, 0 to 1.
    """
    by_kind = {one.kind: one for one in findings if one.dropped}
    dropped = sum(one.dropped for one in by_kind.values())
    total = dropped + kept_in_train
    if not total or dropped / total <= max_fraction:
        return []
    told = ", ".join(f"{one.dropped} {kind}" for kind, one in by_kind.items())
    return [
        Anomaly(
            split=TRAIN_SPLIT,
            feature=_DATASET_LEVEL,
            short_description=f"The audit drops {dropped} of {total} train pictures",
            long_description=(
                f"That is {dropped / total:.0%} ({told}), more than the limit of {max_fraction:.0%}: "
                "the splits share most of their pictures."
            ),
            files=tuple(path for one in by_kind.values() for group in one.groups for path in group),
            remedy=(
                "give the classes in one folder without splits, which keeps together what belongs "
                "together (--group-by names films or persons); or train on them (--keep-leaks); or "
                "raise max_dropped_fraction"
            ),
        )
    ]


def exceeded_drift(comparisons: Iterable[Comparison]) -> list[Anomaly]:
    """Lists the features whose distance is above the schema's threshold."""
    return [
        Anomaly(
            split=comparison.comparison,
            feature=measured.feature,
            short_description=measured.short_description,
            long_description=measured.long_description,
            files=(),
            remedy=(
                "see how the two differ in their statistics; where the difference is meant, raise "
                f"the threshold of {measured.feature} in the schema"
            ),
        )
        for comparison in comparisons
        for measured in comparison.measurements
        if measured.exceeded
    ]


def files_outside(schema: schema_pb2.Schema, feature: str, rows: pd.DataFrame) -> tuple[str, ...]:
    """Returns the paths of the rows whose value lies outside the feature's domain in the schema."""
    column = _MANIFEST_COLUMN.get(feature, feature)
    spec = feature_of(schema, feature)
    if spec is None or column not in rows:
        return ()
    values = rows[column]
    outside = pd.Series(False, index=rows.index)
    domain = string_domain(schema, feature)
    if domain is not None:
        outside = ~values.isin(list(domain.value))
    elif spec.HasField("int_domain") or spec.HasField("float_domain"):
        bounds = spec.int_domain if spec.HasField("int_domain") else spec.float_domain
        outside = values.isna()
        if bounds.HasField("min"):
            outside |= values < bounds.min
        if bounds.HasField("max"):
            outside |= values > bounds.max
    return tuple(rows["path"][outside])


def describe(anomaly: Anomaly) -> str:
    """Returns an anomaly as lines of text for the terminal."""
    lines = [
        f"- {anomaly.split}, {anomaly.feature}: {anomaly.short_description.rstrip('.')}. "
        f"{anomaly.long_description}"
    ]
    if anomaly.files:
        lines.append(f"  in {first_few(anomaly.files, MAX_FILES_NAMED, 'file')}")
    lines.append(f"  what to do: {anomaly.remedy}")
    return "\n".join(lines)


def to_dicts(anomalies: Iterable[Anomaly]) -> list[dict]:
    """Returns anomalies as plain dicts, for JSON."""
    return [dataclasses.asdict(anomaly) for anomaly in anomalies]


def _anomaly(
    split: str,
    feature: str,
    info: anomalies_pb2.AnomalyInfo,
    files: tuple[str, ...],
    missing: tuple[str, ...] = (),
) -> Anomaly:
    description, remedies = info.description, []
    if files or not missing:
        remedies.append(_REMEDIES.get(feature, _DEFAULT_REMEDY))
    if missing:
        named = ", ".join(missing)
        description = f"{description.rstrip()} No picture of {named}.".lstrip()
        remedies.append(
            f"put pictures of {named} into the class folders of this split, or {_OTHER_CLASSES} "
            "without them"
        )
    return Anomaly(
        split=split,
        feature=feature,
        short_description=info.short_description,
        long_description=description,
        files=files,
        remedy="; ".join(remedies),
    )
