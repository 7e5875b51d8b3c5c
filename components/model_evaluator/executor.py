"""Runs ComparingEvaluator: TFX's evaluation, then the comparison with the model to beat."""

import json
import os
from typing import Any

from tfx import types
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as tfx_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from emotion_pipeline.components.autograph import leave_libraries_as_written
from emotion_pipeline.components.constants import EVAL_SPLIT, TEST_SPLIT
from emotion_pipeline.components.examples.splits import split_pattern
from emotion_pipeline.components.model_evaluator.judgement import (
    describe,
    judge,
    write_judgement,
)
from emotion_pipeline.components.progress import report
from emotion_pipeline.components.pushed_model.executor import ABSENT_PROPERTY, VERSION_PROPERTY
from emotion_pipeline.components.records.answers_record import write_answers

leave_libraries_as_written()


class Executor(tfx_executor.Executor):
    """Executor of ComparingEvaluator; metrics and value thresholds are TFX's."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the model on the split that judges, compares it, and blesses it or does not."""
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        split = judging_split(artifact_utils.decode_split_names(examples.split_names))
        baselines = [
            one
            for one in input_dict.get("baseline_model", [])
            if not one.get_int_custom_property(ABSENT_PROPERTY)
        ]
        # TFMA would compare sums over all pictures, which tell less than which pictures they are.
        rest = {key: value for key, value in input_dict.items() if key != "baseline_model"}
        super().Do(rest, output_dict, {**exec_properties, "example_splits": json.dumps([split])})

        model = artifact_utils.get_single_instance(input_dict["model"])
        judgement, answers = judge(
            path_utils.serving_model_path(model.uri),
            path_utils.serving_model_path(baselines[0].uri) if baselines else None,
            baselines[0].get_string_custom_property(VERSION_PROPERTY) if baselines else "",
            split,
            split_pattern(examples, split),
            exec_properties["confidence"],
            exec_properties["max_accuracy_drop"],
        )
        report(f"        judged on {split}: {describe(judgement)}")
        evaluation_uri = artifact_utils.get_single_uri(output_dict["evaluation"])
        write_judgement(judgement, evaluation_uri)
        write_answers(answers, evaluation_uri)
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        if baselines:
            blessing.set_string_custom_property(
                constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, baselines[0].uri
            )
            blessing.set_int_custom_property(
                constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, baselines[0].id
            )
        if judgement.comparison is not None and not judgement.comparison.passed:
            _withhold(blessing)


def judging_split(splits: list[str]) -> str:
    """Returns the split that judges: `test` where there is one, which has chosen nothing, else `eval`."""
    return TEST_SPLIT if TEST_SPLIT in splits else EVAL_SPLIT


def _withhold(blessing: types.Artifact) -> None:
    """Takes back a blessing that the thresholds alone have given."""
    blessed = os.path.join(blessing.uri, constants.BLESSED_FILE_NAME)
    if fileio.exists(blessed):
        fileio.remove(blessed)
    io_utils.write_string_file(os.path.join(blessing.uri, constants.NOT_BLESSED_FILE_NAME), "")
    blessing.set_int_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.NOT_BLESSED_VALUE
    )
