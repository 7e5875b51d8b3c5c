"""Runs RunReport: unpack, gather, render."""

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.orchestration import metadata
from tfx.types import artifact_utils

from emotion_pipeline.components.class_balancer.executor import CLASS_COUNTS_PROPERTY
from emotion_pipeline.components.records.run_records import ComponentRun, latest_run
from emotion_pipeline.components.records.step_records import read_steps
from emotion_pipeline.components.run_report.gather import (
    answers_of,
    component_times,
    read_data,
    read_model,
)
from emotion_pipeline.components.run_report.page import (
    CARD_FILE,
    write_card,
    write_report,
)
from emotion_pipeline.components.run_report.record import (
    REPORT_FILE,
    RunFacts,
    steps_folder,
)
from emotion_pipeline.components.run_report.run_content import describe_run


class Executor(base_executor.BaseExecutor):
    """Executor of RunReport."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `report.html` and `card.md` into the output's folder."""
        self._log_startup(input_dict, output_dict, exec_properties)
        artifacts = {key: found[0] for key, found in input_dict.items() if found}
        uris = {key: artifact.uri for key, artifact in artifacts.items()}
        counts = artifacts["balanced_examples"].get_string_custom_property(CLASS_COUNTS_PROPERTY)
        is_blessed = bool(artifacts["blessing"].get_int_custom_property("blessed"))
        version = artifacts["pushed_model"].get_string_custom_property("pushed_version")
        run = exec_properties.get("run")
        facts = RunFacts(**json.loads(run)) if run else None
        answers = answers_of(uris)
        content = describe_run(
            facts=facts,
            settings=json.loads(exec_properties["settings"]),
            recipe=json.loads(exec_properties.get("recipe") or "{}"),
            data=read_data(uris, json.loads(counts), anomalies=[]),
            components=component_times(
                [
                    one
                    for one in self._components(exec_properties["metadata_path"], facts)
                    if one.complete
                ]
            ),
            model=read_model(uris, answers, exec_properties["seed"]),
            answers=answers,
            model_uri=uris["model"],
            pushed_version=version if is_blessed else "",
            # Of a page by itself the day it was made is all that tells which run it is.
            is_dated=self._context is not None,
        )
        folder = artifact_utils.get_single_uri(output_dict["report"])
        root = facts.root if facts else folder
        write_report(content, os.path.join(folder, REPORT_FILE), root)
        write_card(content, os.path.join(folder, CARD_FILE))

    def _components(self, metadata_path: str, facts: RunFacts | None) -> list[ComponentRun]:
        """Returns the components before this one, of ML Metadata or of the steps' own records."""
        if metadata_path and self._context is not None and self._context.pipeline_info is not None:
            connection = metadata.sqlite_metadata_connection_config(metadata_path)
            return latest_run(connection, self._context.pipeline_info.id)
        return read_steps(steps_folder(facts)) if facts else []
