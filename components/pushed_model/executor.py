"""Runs PushedModel: find the newest version, copy it."""

from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.served_model import describe_served, fetch_version, newest_version

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
        """Copies the newest version where Evaluator looks for a model, or records that there is none.

        Raises:
          UserError: The push destination serves another model than when the component was keyed.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        push_dir = exec_properties["push_dir"]
        expected = exec_properties["served"]
        if expected and (found := describe_served(push_dir)) != expected:
            raise UserError(
                f"{push_dir}: served {expected} and now serves {found}; somebody pushed or removed a "
                "version at this moment. Give the same command again: what is finished is not repeated."
            )
        model = artifact_utils.get_single_instance(output_dict["model"])
        version = newest_version(push_dir)
        model.set_int_custom_property(ABSENT_PROPERTY, int(version is None))
        model.set_string_custom_property(VERSION_PROPERTY, "" if version is None else str(version))
        if version is None:
            logging.info("PushedModel: no version in %s yet", push_dir)
            return
        fetch_version(push_dir, version, path_utils.serving_model_dir(model.uri))
        logging.info("PushedModel: version %d of %s", version, push_dir)
