"""Runs ClassBalancer: unpack, call the transforms, write."""

import json
import os
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from emotion_pipeline.components.class_balancer.plan import ClassPlan
from emotion_pipeline.components.class_balancer.transforms import PlanCopies, example_and_copies
from emotion_pipeline.components.constants import TRAIN_SPLIT
from emotion_pipeline.components.examples.splits import (
    describe_examples,
    read_split,
    split_pattern,
    write_split,
)

CLASS_COUNTS_PROPERTY = "class_counts"
"""Custom property of the output: `{"<label>": {"before": int, "after": int}}` as JSON text."""


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of ClassBalancer."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the balanced train split and the others as they are, and records the counts."""
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        balanced = artifact_utils.get_single_instance(output_dict["balanced_examples"])
        splits = artifact_utils.decode_split_names(examples.split_names)
        describe_examples(balanced, splits)
        counts_prefix = os.path.join(self._get_tmp_dir(), "class_counts")
        # The train split is read twice, so that only keys and plans wait between the two passes and
        # memory does not grow with the pictures.
        with self._make_beam_pipeline() as pipeline:
            plans = (
                pipeline
                | "ReadToPlan" >> read_split(examples, TRAIN_SPLIT)
                | "PlanCopies" >> PlanCopies(exec_properties["method"])
            )
            (
                plans
                | "FormatCounts" >> beam.MapTuple(_counts_line)
                | "WriteCounts" >> beam.io.WriteToText(counts_prefix)
            )
            (
                pipeline
                | "ReadToCopy" >> read_split(examples, TRAIN_SPLIT)
                | "TranslateCopies"
                >> beam.FlatMap(
                    example_and_copies,
                    plans=beam.pvalue.AsDict(plans),
                    max_shift_px=exec_properties["max_shift_px"],
                    seed=exec_properties["seed"],
                )
                | "WriteTrain" >> write_split(balanced, TRAIN_SPLIT)
            )
        for split in splits:
            if split != TRAIN_SPLIT:
                _copy_split(examples, balanced, split)
        balanced.set_string_custom_property(
            CLASS_COUNTS_PROPERTY, json.dumps(_read_counts(counts_prefix), sort_keys=True)
        )


def _counts_line(label: str, plan: ClassPlan) -> str:
    return json.dumps({label: {"before": plan.count, "after": plan.target}})


def _read_counts(prefix: str) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for match in FileSystems.match([f"{prefix}*"])[0].metadata_list:
        with FileSystems.open(match.path) as file:
            for line in file.read().decode("utf-8").splitlines():
                counts.update(json.loads(line))
    return counts


def _copy_split(source: types.Artifact, target: types.Artifact, split: str) -> None:
    target_dir = artifact_utils.get_split_uri([target], split)
    fileio.makedirs(target_dir)
    for path in fileio.glob(split_pattern(source, split)):
        fileio.copy(path, os.path.join(target_dir, os.path.basename(path)), overwrite=True)
