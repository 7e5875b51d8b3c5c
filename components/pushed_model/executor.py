"""Runs PushedModel: find the newest version, copy it."""

import os
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

ABSENT_PROPERTY = "absent"
"""Custom property of the output, 1 where nothing was pushed yet, else 0."""

VERSION_PROPERTY = "pushed_version"
"""Custom property of the output: the version's number as text, empty where there is none."""


class Executor(base_executor.BaseExecutor):
    """Executor of PushedModel."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copies the newest version where Evaluator looks for a model, or records that there is none."""
        self._log_startup(input_dict, output_dict, exec_properties)
        push_dir = exec_properties["push_dir"]
        model = artifact_utils.get_single_instance(output_dict["model"])
        version = newest_version(push_dir)
        model.set_int_custom_property(ABSENT_PROPERTY, int(version is None))
        model.set_string_custom_property(VERSION_PROPERTY, "" if version is None else str(version))
        if version is None:
            logging.info("PushedModel: no version in %s yet", push_dir)
            return
        io_utils.copy_dir(
            os.path.join(push_dir, str(version)), path_utils.serving_model_dir(model.uri)
        )
        logging.info("PushedModel: version %d of %s", version, push_dir)


def newest_version(push_dir: str) -> int | None:
    """Returns the largest version number among the folders of a push destination, if there is any."""
    if not fileio.exists(push_dir):
        return None
    names = [name.rstrip("/") for name in fileio.listdir(push_dir)]
    return max((int(name) for name in names if name.isdigit()), default=None)
