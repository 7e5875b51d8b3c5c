"""Runs ImageIngest: resolves the source, builds the manifest, writes it."""

import json
import pathlib
from typing import Any

import pandas as pd
from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from emotion_pipeline.components.image_ingest.ingest import check_pruned_fraction, ingest
from emotion_pipeline.components.image_ingest.manifest import (
    Manifest,
    VotesRecord,
    kept_rows,
    write_manifest,
)
from emotion_pipeline.components.image_ingest.vote_columns import VoteColumns
from emotion_pipeline.components.image_ingest.votes import join_votes, read_votes, votes_lines
from emotion_pipeline.components.sources.layout import Layout, find_layout
from emotion_pipeline.components.sources.resolve import resolve_source


class Executor(base_executor.BaseExecutor):
    """Executor of ImageIngest."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the manifest of the source; see `component.ImageIngest` for the properties.

        Raises:
          UserError: The source cannot be had, holds no data set, or too much of it is unusable.
        """
        source = exec_properties["source"]
        notes: list[str] = []

        def note(line: str) -> None:
            # Not to the terminal here: that is told it from the manifest, also where this is not run.
            logging.info("ImageIngest: %s", line)
            notes.append(line)

        found = resolve_source(source, pathlib.Path(exec_properties["cache_dir"]))
        layout = find_layout(found.root, source, json.loads(exec_properties["class_names"]))
        table = ingest(
            found.root,
            source=source,
            eval_fraction=exec_properties["eval_fraction"],
            group_by=exec_properties["group_by"],
            removed=found.removed,
            layout=layout,
            progress=lambda done, total: logging.info("ImageIngest: %d of %d files", done, total),
            tell=note,
        )
        votes = None
        if exec_properties["votes"]:
            table, votes = _join_votes(table, found.root, layout, exec_properties)
        artifact = artifact_utils.get_single_instance(output_dict["manifest"])
        manifest = Manifest(table, found.root, source, votes, tuple(notes), drawn=not layout.splits)
        write_manifest(manifest, artifact.uri)
        kept = len(kept_rows(table))
        artifact.set_int_custom_property("files_found", len(table))
        artifact.set_int_custom_property("files_kept", kept)
        logging.info("ImageIngest: %d files found, %d kept", len(table), kept)
        check_pruned_fraction(table, exec_properties["max_pruned_fraction"], source)


def _join_votes(
    table: pd.DataFrame, root: pathlib.Path, layout: Layout, exec_properties: dict[str, Any]
) -> tuple[pd.DataFrame, VotesRecord]:
    columns = json.loads(exec_properties["votes_columns"])
    labels = columns.pop("labels")
    votes = read_votes(exec_properties["votes"], labels, VoteColumns(**columns))
    table, record = join_votes(table, votes, root.resolve(), layout)
    # The terminal is told it from the manifest, as the notes are.
    logging.info("ImageIngest: %s", "\n".join(votes_lines(record)))
    return table, record
