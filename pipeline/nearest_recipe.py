"""Which recipe the settings of a run are nearest to."""

from typing import Any

from emotion_pipeline.components.run_report.settings_view import changed_from_recipe
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.recipes import RECIPES
from emotion_pipeline.settings import to_dict, with_overrides


def nearest_recipe(config: PipelineConfig) -> dict[str, Any]:
    """Returns the recipe that the fewest settings differ from, the first of those that are level.

    A configuration does not say which recipe it was made from; it may be a file that spells all of one.

    Returns:
      `name`; `settings`, the recipe's over the defaults as plain nested dicts; and `differ`, how many settings
      of the configuration are not these.
    """
    settings = to_dict(config)
    recipes = {
        name: to_dict(with_overrides(PipelineConfig(), changes))
        for name, changes in RECIPES.items()
    }
    differ = {name: len(changed_from_recipe(settings, recipe)) for name, recipe in recipes.items()}
    name = min(recipes, key=differ.__getitem__)
    return {"name": name, "settings": recipes[name], "differ": differ[name]}
