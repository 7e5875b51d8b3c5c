import pathlib

import pytest
from tfx import types
from tfx.types import standard_artifacts

from emotion_pipeline.components.drift_validator.component import DriftValidator
from emotion_pipeline.components.errors import UserError


def channels():
    return {
        "statistics": types.Channel(type=standard_artifacts.ExampleStatistics),
        "schema": types.Channel(type=standard_artifacts.Schema),
    }


@pytest.mark.parametrize(
    ("name", "expected"), [("statistics", "ExampleStatistics"), ("schema", "Schema")]
)
def test_refuses_bad_wiring(name, expected):
    wrong = {**channels(), name: types.Channel(type=standard_artifacts.Model)}
    with pytest.raises(ValueError, match=f"{name} must be a channel of {expected}, got Model"):
        DriftValidator(**wrong)


def test_a_changed_baseline_changes_the_cache_key(tmp_path: pathlib.Path):
    file = tmp_path / "FeatureStats.pb"
    keys = []
    for content in (b"", b"\n\x00"):
        file.write_bytes(content)
        keys.append(DriftValidator(**channels(), baseline=str(file)).exec_properties)
    assert keys[0]["baseline_fingerprint"] != keys[1]["baseline_fingerprint"]
    with pytest.raises(UserError, match="no statistics there"):
        DriftValidator(**channels(), baseline=str(tmp_path / "none"))
