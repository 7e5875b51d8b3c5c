"""What changed, with the pictures."""

import dataclasses
from collections.abc import Sequence

from emotion_pipeline.components.image_ingest.manifest import Manifest
from emotion_pipeline.components.run_report.changes import (
    ModelChange,
    SettingChange,
    Turned,
)
from emotion_pipeline.components.run_report.content import ChangesContent
from emotion_pipeline.components.run_report.history import describe_changes
from emotion_pipeline.components.run_report.pictures import Picture, read_picture


@dataclasses.dataclass(frozen=True)
class TurnedView:
    """A picture whose answer turned."""

    picture: Picture
    turned: Turned


@dataclasses.dataclass(frozen=True)
class ModelChangeView:
    """A model beside another, and the pictures whose answer turned."""

    change: ModelChange
    newly_right: list[TurnedView]
    newly_wrong: list[TurnedView]


@dataclasses.dataclass(frozen=True)
class ChangesView:
    """All that the template shows of the changes; `told` are the sentences of the terminal."""

    told: list[str]
    models: list[ModelChangeView]
    since: str
    settings: Sequence[SettingChange]
    data: Sequence[str]


def make_changes_view(content: ChangesContent, manifest: Manifest) -> ChangesView:
    """Reads the few pictures that are shown."""
    return ChangesView(
        told=describe_changes(content),
        models=[
            ModelChangeView(
                one,
                _views(one.newly_right, manifest),
                _views(one.newly_wrong, manifest),
            )
            for one in content.models
        ],
        since=content.since,
        settings=content.settings,
        data=content.data,
    )


def _views(turned: Sequence[Turned], manifest: Manifest) -> list[TurnedView]:
    return [TurnedView(read_picture(manifest.root, one.path), one) for one in turned]
