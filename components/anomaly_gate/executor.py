"""Runs AnomalyGate: unpack, compare, fail."""

import os
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from emotion_pipeline.components.anomaly_gate.anomalies import (
    AnomaliesError,
    dropped_too_much,
    exceeded_drift,
    find_anomalies,
    forbidden_findings,
    has_anomalies,
)
from emotion_pipeline.components.constants import TRAIN_SPLIT
from emotion_pipeline.components.drift_validator.drift import read_drift
from emotion_pipeline.components.image_findings.findings import read_findings
from emotion_pipeline.components.image_findings.kinds import FAIL
from emotion_pipeline.components.image_ingest.manifest import count_kept, read_manifest
from emotion_pipeline.components.wiring import read_schema

_ANOMALIES_FILE = "SchemaDiff.pb"


class Executor(base_executor.BaseExecutor):
    """Executor of AnomalyGate."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Ends without a word when nothing is wrong.

        Raises:
          AnomaliesError: A split has anomalies, or something was found that the policies forbid.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(input_dict["anomalies"])
        schema = read_schema(input_dict["schema"])
        manifest_uri = artifact_utils.get_single_uri(input_dict["manifest"])
        found = {}
        for split in artifact_utils.decode_split_names(artifact.split_names):
            path = os.path.join(artifact_utils.get_split_uri([artifact], split), _ANOMALIES_FILE)
            with fileio.open(path, "rb") as file:
                found[split] = anomalies_pb2.Anomalies.FromString(file.read())
        anomalies = []
        # The whole table, some KiB a picture, only where there are files to name.
        if any(map(has_anomalies, found.values())):
            manifest = read_manifest(manifest_uri)
            for split, of_split in found.items():
                anomalies += find_anomalies(of_split, schema, manifest.table, split, manifest.drawn)
        findings = read_findings(artifact_utils.get_single_uri(input_dict["findings"]))
        anomalies += forbidden_findings(findings)
        if any(finding.dropped for finding in findings):
            anomalies += dropped_too_much(
                findings,
                count_kept(manifest_uri, TRAIN_SPLIT),
                exec_properties["max_dropped_fraction"],
            )
        if exec_properties["drift_policy"] == FAIL:
            anomalies += exceeded_drift(
                read_drift(artifact_utils.get_single_uri(input_dict["drift"]))
            )
        if anomalies:
            raise AnomaliesError(anomalies)
