"""The settings on the page: those that differ from the recipe's first."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from emotion_pipeline.components.run_report.content import RunContent

PLACES = frozenset(
    {"data", "root", "artifacts_dir", "push_dir", "votes", "votes_columns", "schema", "against"}
)
"""Settings and groups that say where something lies; every run has its own, whatever the recipe."""


_AUGMENTING = (
    "flip", "rotation_degrees", "zoom", "shift_px", "brightness", "gamma", "contrast", "equalize_share",
    "blur_share", "jpeg_share", "erase_share", "mixup",
)  # fmt: skip
"""Settings of `train` that change its pictures where they are not zero."""


@dataclasses.dataclass(frozen=True)
class SettingsView:
    """The recipe's name, what differs from it as `(name, value, recipe's)`, and all as `(name, value)`."""

    recipe: str
    own: list[tuple[str, Any, Any]]
    all: list[tuple[str, Any]]


def make_settings_view(content: RunContent) -> SettingsView:
    """Sorts the settings."""
    own = changed_from_recipe(content.settings, content.recipe_settings) if content.recipe else []
    return SettingsView(content.recipe, own, list(flatten(content.settings)))


def changed_from_recipe(
    settings: Mapping[str, Any], recipe_settings: Mapping[str, Any]
) -> list[tuple[str, Any, Any]]:
    """Returns the settings that are not the recipe's: name, value, and the recipe's value.

    Example:
      >>> changed_from_recipe({"seed": 2, "root": "a"}, {"seed": 1, "root": "b"})
      [('seed', 2, 1)]
    """
    usual = dict(flatten(recipe_settings))
    return [
        (name, value, usual.get(name))
        for name, value in flatten(settings)
        if name.partition(".")[0] not in PLACES and value != usual.get(name)
    ]


def learning_conditions(settings: Mapping[str, Any]) -> list[str]:
    """Returns under what the figures of train are measured while it trains, in words.

    Args:
      settings: The configuration, nested.

    Example:
      >>> learning_conditions({"balance": "none", "train": {"flip": True, "dropout_steps": [[0, 0.5]]}})
      ['with dropout', 'on the augmented images']
    """
    train = settings.get("train", {})
    images = ["balanced"] if settings.get("balance") == "translate" else []
    images += ["augmented"] if any(train.get(name) for name in _AUGMENTING) else []
    is_dropped = any(rate for _, rate in train.get("dropout_steps", ()))
    return ["with dropout"] * is_dropped + (
        [f"on the {' and '.join(images)} images"] if images else []
    )


def flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields nested settings under dotted names, as `--set` takes them."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
