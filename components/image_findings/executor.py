"""Runs ImageAudit: reads the manifest, audits it, writes the manifest and the findings."""

import dataclasses
import functools
import json
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from emotion_pipeline.components.image_findings.findings import audit, write_findings
from emotion_pipeline.components.image_findings.near_copies import load_pixels
from emotion_pipeline.components.image_ingest.manifest import (
    kept_rows,
    read_manifest,
    write_manifest,
)


class Executor(base_executor.BaseExecutor):
    """Executor of ImageAudit."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the audited manifest and the findings; `component.ImageAudit` has the properties.

        Raises:
          UserError: A picture changed since it was read.
        """
        manifest = read_manifest(artifact_utils.get_single_uri(input_dict["manifest"]))
        table, findings = audit(
            manifest.table,
            functools.partial(load_pixels, manifest.root),
            json.loads(exec_properties["policies"]),
        )
        audited = artifact_utils.get_single_instance(output_dict["audited_manifest"])
        audited.set_int_custom_property("files_found", len(table))
        audited.set_int_custom_property("files_kept", len(kept_rows(table)))
        write_manifest(dataclasses.replace(manifest, table=table), audited.uri)
        write_findings(findings, artifact_utils.get_single_uri(output_dict["findings"]))
        for finding in findings:
            logging.info(
                "ImageAudit: %s: %d groups, %d files, %s (%d dropped)",
                finding.kind,
                len(finding.groups),
                finding.images,
                finding.policy,
                finding.dropped,
            )
