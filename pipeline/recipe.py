"""Which recipe the settings of a run are nearest to."""

from typing import Any

from emotion_pipeline.components.run_report.settings_view import changed_from_recipe
from emotion_pipeline.configs import RECIPES, PipelineConfig
from emotion_pipeline.settings import to_dict, with_overrides


def nearest_recipe(config: PipelineConfig) -> dict[str, Any]:
    """Returns the recipe that the fewest settings differ from, the first of those that are level.

    A configuration does not say which recipe it was made from; it may be a file that spells all of one.

    Returns:
      `name`, and `settings`, the recipe's over the defaults as plain nested dicts.
    """
    settings = to_dict(config)
    recipes = {
        name: to_dict(with_overrides(PipelineConfig(), changes))
        for name, changes in RECIPES.items()
    }
    name = min(recipes, key=lambda one: len(changed_from_recipe(settings, recipes[one])))
    return {"name": name, "settings": recipes[name]}
