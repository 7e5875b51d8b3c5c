"""Runs DriftValidator: unpack, compare, write."""

from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from emotion_pipeline.components.drift_validator.drift import compare_splits, write_drift
from emotion_pipeline.components.drift_validator.statistics import load_statistics
from emotion_pipeline.components.wiring import read_schema


class Executor(base_executor.BaseExecutor):
    """Executor of DriftValidator."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `drift.json`.

        Raises:
          UserError: The baseline is gone or no statistics.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        schema = read_schema(input_dict["schema"])
        baseline = exec_properties["baseline"]
        comparisons = compare_splits(
            load_statistics(artifact_utils.get_single_uri(input_dict["statistics"])),
            load_statistics(baseline) if baseline else {},
            schema,
        )
        for comparison in comparisons:
            logging.info("DriftValidator: %s", comparison)
        write_drift(comparisons, artifact_utils.get_single_uri(output_dict["drift"]))
