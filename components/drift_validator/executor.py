"""Runs DriftValidator: unpack, compare, write."""

import os
from typing import Any

from absl import logging
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.drift_validator.drift import compare_splits, write_drift
from components.drift_validator.statistics import load_statistics

_SCHEMA_FILE = "schema.pbtxt"


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
        schema = io_utils.parse_pbtxt_file(
            os.path.join(artifact_utils.get_single_uri(input_dict["schema"]), _SCHEMA_FILE),
            schema_pb2.Schema(),
        )
        baseline = exec_properties["baseline"]
        comparisons = compare_splits(
            load_statistics(artifact_utils.get_single_uri(input_dict["statistics"])),
            load_statistics(baseline) if baseline else {},
            schema,
        )
        for comparison in comparisons:
            logging.info("DriftValidator: %s", comparison)
        write_drift(comparisons, artifact_utils.get_single_uri(output_dict["drift"]))
