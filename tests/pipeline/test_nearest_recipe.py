import pytest

from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.nearest_recipe import nearest_recipe
from emotion_pipeline.recipes import RECIPES
from emotion_pipeline.settings import to_dict, with_overrides


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipe_with_a_few_settings_of_its_own_is_that_recipe(name):
    config = with_overrides(PipelineConfig(), RECIPES[name])
    own = {"root": "elsewhere", "data": "faces", "seed": 7, "train": {"epochs": 2, "batch_size": 8}}
    found = nearest_recipe(with_overrides(config, own))
    assert found["name"] == name, "epochs, batch size and seed alone make no recipe"
    assert found["settings"] == to_dict(config)
    assert found["differ"] == 3  # where data and root lie is no setting of its own
