"""The ImageIngest component: a source of pictures in, an ImageManifest out."""

import dataclasses
import json
from collections.abc import Mapping, Sequence

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, component_spec

from emotion_pipeline.components import artifacts
from emotion_pipeline.components.fingerprint import step_fingerprint
from emotion_pipeline.components.image_ingest import executor
from emotion_pipeline.components.image_ingest.vote_columns import VoteColumns

_DEFAULT_COLUMNS = VoteColumns()


class ImageIngestSpec(component_spec.ComponentSpec):
    """What ImageIngest reads and writes; see `ImageIngest`."""

    PARAMETERS = {
        "source": component_spec.ExecutionParameter(type=str),
        "cache_dir": component_spec.ExecutionParameter(type=str),
        "eval_fraction": component_spec.ExecutionParameter(type=float),
        "group_by": component_spec.ExecutionParameter(type=str),
        "max_pruned_fraction": component_spec.ExecutionParameter(type=float),
        "class_names": component_spec.ExecutionParameter(type=str),
        "source_fingerprint": component_spec.ExecutionParameter(type=str),
        "votes": component_spec.ExecutionParameter(type=str),
        "votes_columns": component_spec.ExecutionParameter(type=str),
        "votes_fingerprint": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"manifest": component_spec.ChannelParameter(type=artifacts.ImageManifest)}


class ImageIngest(base_component.BaseComponent):
    """Finds every file of a data set and says of each whether it is used, and if not, why.

    The files themselves are not copied: the manifest points to the user's folder, or to the
    pipeline's own copy of a zip, a download or the drawn sample. Component `outputs` contains
    `manifest`.
    """

    SPEC_CLASS = ImageIngestSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        source: str,
        cache_dir: str,
        *,
        eval_fraction: float = 0.2,
        group_by: str = "",
        max_pruned_fraction: float = 0.1,
        class_names: Mapping[str, str] | None = None,
        source_fingerprint: str = "",
        votes: str = "",
        votes_columns: VoteColumns = _DEFAULT_COLUMNS,
        votes_fingerprint: str = "",
        labels: Sequence[str] = (),
    ):
        """Constructs the component.

        Args:
          source: A folder, an archive or a table of pixels, `kaggle:OWNER/NAME`, a Kaggle data
            set's URL, or `sample`.
          cache_dir: Where the pipeline keeps its own copies.
          eval_fraction: Share of the pictures that go to eval where the source has no splits.
          group_by: What names a person or a film in a path; its pictures go to one split.
          max_pruned_fraction: The run stops where a larger share of the pictures is unusable.
          class_names: Name of a class folder -> the class of its pictures, where that is another.
          source_fingerprint: `sources.resolve.fingerprint_source(source)`; part of the cache key.
          votes: A CSV of people's votes on the pictures; empty for none.
          votes_columns: What its columns mean.
          votes_fingerprint: `votes.fingerprint_votes(votes)`; part of the cache key.
          labels: The classes that are voted for, in the order of the counts.

        Raises:
          ValueError: `source` or `cache_dir` is empty, a fraction is out of range, or votes are without
            labels.
          UserError: `votes_columns` does not fit the labels.
        """
        if not source:
            raise ValueError("source must name a folder, a file, a Kaggle data set, or sample")
        if not cache_dir:
            raise ValueError("cache_dir must name a folder")
        if not 0 < eval_fraction < 1:
            raise ValueError(f"eval_fraction must lie between 0 and 1, got {eval_fraction}")
        if not 0 <= max_pruned_fraction <= 1:
            raise ValueError(f"max_pruned_fraction must be 0 to 1, got {max_pruned_fraction}")
        meanings = ""
        if votes:
            if not labels:
                raise ValueError("labels must name the classes that are voted for")
            votes_columns.by_class(labels)
            meanings = json.dumps({"labels": list(labels), **dataclasses.asdict(votes_columns)})
        super().__init__(
            ImageIngestSpec(
                source=source,
                cache_dir=cache_dir,
                eval_fraction=eval_fraction,
                group_by=group_by,
                max_pruned_fraction=max_pruned_fraction,
                class_names=json.dumps(dict(class_names or {}), sort_keys=True),
                source_fingerprint=source_fingerprint,
                votes=votes,
                votes_columns=meanings,
                votes_fingerprint=votes_fingerprint,
                code_fingerprint=step_fingerprint("emotion_pipeline.components.image_ingest"),
                manifest=channel.Channel(type=artifacts.ImageManifest),
            )
        )
