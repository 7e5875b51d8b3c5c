import json

import pytest
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_executor
from tfx.types import standard_artifacts

from emotion_pipeline.components.model_pusher import push
from emotion_pipeline.components.model_pusher.executor import Executor
from emotion_pipeline.components.model_pusher.push import push_version


@pytest.fixture
def model_dir(tmp_path):
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_pushes_the_whole_model(model_dir, tmp_path):
    base = tmp_path / "pushed" / "emotion"
    version = push_version(str(model_dir), str(base))
    assert names(base) == [str(version)]
    assert (base / str(version) / "variables" / "variables.index").read_bytes() == b"index"
    assert (base / str(version) / "saved_model.pb").read_bytes() == b"graph"


def test_the_same_files_are_the_same_version(model_dir, tmp_path):
    base = tmp_path / "pushed"
    version = push_version(str(model_dir), str(base))
    assert push_version(str(model_dir), str(base)) == version
    assert names(base) == [str(version)]


def test_another_model_has_a_larger_number_even_where_the_clock_is_behind(model_dir, tmp_path):
    base = tmp_path / "pushed"
    (base / "99999999999").mkdir(parents=True)
    assert push_version(str(model_dir), str(base)) == 100000000000
    (model_dir / "saved_model.pb").write_bytes(b"another graph")
    assert push_version(str(model_dir), str(base)) == 100000000001


def test_a_push_that_is_cut_off_leaves_no_version_and_the_next_clears_up(
    model_dir, tmp_path, monkeypatch
):
    base = tmp_path / "pushed"

    def cut_off(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(push.fileio, "rename", cut_off)
        with pytest.raises(KeyboardInterrupt):
            push_version(str(model_dir), str(base))
    (part,) = names(base)
    assert part.endswith(".part")
    version = push_version(str(model_dir), str(base))
    assert names(base) == [str(version)]


@pytest.mark.parametrize("blessed", [True, False])
def test_pushes_only_what_is_blessed(model_dir, tmp_path, blessed):
    model, blessing, pushed = (
        standard_artifacts.Model(),
        standard_artifacts.ModelBlessing(),
        standard_artifacts.PushedModel(),
    )
    model.uri, pushed.uri = str(tmp_path / "artifact"), str(tmp_path / "record")
    (tmp_path / "artifact").mkdir()
    model_dir.rename(tmp_path / "artifact" / "Format-Serving")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(blessed))
    base = tmp_path / "pushed"
    destination = json.dumps({"filesystem": {"base_directory": str(base)}})
    context = base_executor.BaseExecutor.Context(tmp_dir=str(tmp_path / "tmp"), unique_id="1")
    Executor(context).Do(
        {"model": [model], "model_blessing": [blessing]},
        {"pushed_model": [pushed]},
        {"push_destination": destination},
    )
    assert pushed.get_int_custom_property("pushed") == int(blessed)
    assert base.exists() == blessed
    if blessed:
        version = pushed.get_string_custom_property("pushed_version")
        assert names(base) == [version]
        assert (tmp_path / "record" / "saved_model.pb").read_bytes() == b"graph"
