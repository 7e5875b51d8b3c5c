"""The names of artifact types."""

import inspect

import pytest
from tfx.types.artifact import Artifact

import emotion_pipeline
from emotion_pipeline.components import artifacts

CLASSES = [
    one
    for _, one in inspect.getmembers(artifacts, inspect.isclass)
    if issubclass(one, Artifact) and one is not Artifact
]


def test_kubeflow_takes_every_type_name_and_tfx_finds_the_class_by_it():
    assert artifacts.ImageManifest in CLASSES
    for one in CLASSES:
        namespace, _, name = one.TYPE_NAME.partition(".")
        assert namespace == "emotion_pipeline", (
            f"{one.__name__}: TYPE_NAME is not emotion_pipeline.NAME"
        )
        assert getattr(emotion_pipeline, name) is one


def test_other_names_are_not_found():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        emotion_pipeline.nonsense  # noqa: B018
