"""Runs ImageExampleGen: unpack, call the transforms, write."""

import os
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.examples.splits import describe_examples, write_split
from emotion_pipeline.components.image_example_gen.transforms import CHANGED_TAG, ManifestToExamples
from emotion_pipeline.components.image_ingest.manifest import (
    MANIFEST_FILE,
    present_splits,
    read_source,
    read_splits,
)


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of ImageExampleGen."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the Examples.

        Raises:
          UserError: Files are gone or were changed since they were ingested.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        manifest_uri = artifact_utils.get_single_uri(input_dict["manifest"])
        root = str(read_source(manifest_uri)[0])
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        splits = present_splits(read_splits(manifest_uri))
        describe_examples(examples, splits)
        changed_prefix = os.path.join(self._get_tmp_dir(), "changed")
        with self._make_beam_pipeline() as pipeline:
            outputs = pipeline | "ManifestToExamples" >> ManifestToExamples(
                os.path.join(manifest_uri, MANIFEST_FILE), root
            )
            for split in splits:
                outputs[split] | f"Write_{split}" >> write_split(examples, split)
            outputs[CHANGED_TAG] | "WriteChanged" >> beam.io.WriteToText(changed_prefix)
        _stop_if_changed(changed_prefix, root)


def _stop_if_changed(prefix: str, root: str) -> None:
    changed: list[str] = []
    for match in FileSystems.match([f"{prefix}*"])[0].metadata_list:
        with FileSystems.open(match.path) as file:
            changed.extend(file.read().decode("utf-8").splitlines())
    if changed:
        raise UserError(
            f"{root}: {len(changed)} files are gone or were changed while the pipeline ran, the "
            f"first is {min(changed)!r}. Leave the folder alone and start the run again."
        )
