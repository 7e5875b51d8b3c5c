"""PushedModel: the newest version of a push destination."""

import pytest
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from emotion_pipeline.components.pushed_model.component import PushedModel
from emotion_pipeline.components.pushed_model.executor import Executor, newest_version


def run(push_dir, tmp_path):
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "model")
    Executor().Do({}, {"model": [model]}, {"push_dir": str(push_dir)})
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


def test_wiring():
    node = PushedModel(push_dir="/mnt/models/emotion")
    assert node.outputs["model"].type is standard_artifacts.Model
    with pytest.raises(ValueError, match="push_dir must name the folder"):
        PushedModel(push_dir="")
