"""Runs RunReport: unpack, gather, render."""

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.orchestration import metadata
from tfx.types import artifact_utils

from emotion_pipeline.components.class_balancer.executor import CLASS_COUNTS_PROPERTY
from emotion_pipeline.components.records.run_records import latest_run
from emotion_pipeline.components.run_report.content import ComponentTime, ReportContent, RunContent
from emotion_pipeline.components.run_report.gather import (
    component_times,
    read_data,
    read_model,
    versions,
)
from emotion_pipeline.components.run_report.page import REPORT_FILE, RUN_TITLE, write_report


class Executor(base_executor.BaseExecutor):
    """Executor of RunReport."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `report.html` into the output's folder."""
        self._log_startup(input_dict, output_dict, exec_properties)
        artifacts = {key: found[0] for key, found in input_dict.items() if found}
        uris = {key: artifact.uri for key, artifact in artifacts.items()}
        counts = artifacts["balanced_examples"].get_string_custom_property(CLASS_COUNTS_PROPERTY)
        is_blessed = bool(artifacts["blessing"].get_int_custom_property("blessed"))
        version = artifacts["pushed_model"].get_string_custom_property("pushed_version")
        model = read_model(uris, exec_properties["seed"])
        failed = [
            f"{one.metric} {one.value:.4f}, must be {one.rule}"
            for one in model.checks
            if not one.passed
        ]
        content = ReportContent(
            title=RUN_TITLE,
            outcome=f"Blessed, and pushed as version {version}"
            if is_blessed
            else "Not blessed, so nothing was pushed: " + "; ".join(failed),
            is_good=is_blessed,
            data=read_data(uris, json.loads(counts), anomalies=[]),
            model=model,
            run=RunContent(
                settings=json.loads(exec_properties["settings"]),
                versions=versions(),
                components=self._component_times(exec_properties["metadata_path"]),
            ),
        )
        folder = artifact_utils.get_single_uri(output_dict["report"])
        write_report(content, os.path.join(folder, REPORT_FILE))

    def _component_times(self, metadata_path: str) -> list[ComponentTime]:
        """Returns the times of the components before this one, where ML Metadata is at hand."""
        if not metadata_path or self._context is None or self._context.pipeline_info is None:
            return []
        connection = metadata.sqlite_metadata_connection_config(metadata_path)
        runs = latest_run(connection, self._context.pipeline_info.id)
        return component_times([one for one in runs if one.complete])
