"""PushedModel: the newest version of a push destination."""

import shutil

import pytest
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.pushed_model.component import PushedModel
from emotion_pipeline.components.pushed_model.executor import Executor
from emotion_pipeline.components.served_model import describe_served, newest_version


def run(push_dir, tmp_path, served=""):
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "model")
    properties = {"push_dir": str(push_dir), "served": served}
    Executor().Do({}, {"model": [model]}, properties)
    return model


def version(push_dir, name, content):
    folder = push_dir / name / "variables"
    folder.mkdir(parents=True)
    (folder.parent / "saved_model.pb").write_text(content)
    (folder / "data").write_text(content)


def test_newest_version_by_number_is_copied_to_where_evaluator_looks(tmp_path):
    push_dir = tmp_path / "pushed"
    version(push_dir, "9", "old")
    version(push_dir, "10", "new")
    version(push_dir, "11.part", "half")
    # No model: a server cannot load it, and goes on with the one before.
    (push_dir / "12" / "variables").mkdir(parents=True)
    model = run(push_dir, tmp_path)
    assert model.get_int_custom_property("absent") == 0
    assert model.get_string_custom_property("pushed_version") == "10"
    copied = {
        path.name: path.read_text() for path in (tmp_path / "model").rglob("*") if path.is_file()
    }
    assert copied == {"saved_model.pb": "new", "data": "new"}
    assert (
        (tmp_path / "model")
        .joinpath(path_utils.serving_model_dir(model.uri), "saved_model.pb")
        .is_file()
    )


@pytest.mark.parametrize("exists", [False, True])
def test_nothing_pushed_yet_is_no_failure(tmp_path, exists):
    push_dir = tmp_path / "pushed"
    if exists:
        (push_dir / "7.part").mkdir(parents=True)
    model = run(push_dir, tmp_path)
    assert model.get_int_custom_property("absent") == 1
    assert model.get_string_custom_property("pushed_version") == ""
    assert newest_version(str(push_dir)) is None
    assert not (tmp_path / "model").exists()


def test_what_is_served_is_told_by_version_and_content(tmp_path):
    push_dir = tmp_path / "pushed"
    assert describe_served(str(push_dir)) == "none"
    version(push_dir, "9", "old")
    first = describe_served(str(push_dir))
    version(push_dir, "10", "new")
    second = describe_served(str(push_dir))
    assert (first[:2], second[:3]) == ("9-", "10-")
    (push_dir / "10" / "variables" / "data").write_text("edited")
    assert describe_served(str(push_dir)) not in (first, second)
    shutil.rmtree(push_dir / "10")
    assert describe_served(str(push_dir)) == first


def test_another_model_than_the_key_has_is_not_taken_for_it(tmp_path):
    push_dir = tmp_path / "pushed"
    version(push_dir, "9", "old")
    served = describe_served(str(push_dir))
    assert run(push_dir, tmp_path, served).get_int_custom_property("absent") == 0
    version(push_dir, "10", "new")
    with pytest.raises(UserError, match="somebody pushed or removed a version"):
        run(push_dir, tmp_path / "b", served)


def test_wiring():
    node = PushedModel(push_dir="/mnt/models/emotion")
    assert node.outputs["model"].type is standard_artifacts.Model
    with pytest.raises(ValueError, match="push_dir must name the folder"):
        PushedModel(push_dir="")
