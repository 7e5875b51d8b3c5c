import concurrent.futures
import errno
import json
import pathlib
import threading

import pytest
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_executor
from tfx.types import standard_artifacts

from emotion_pipeline.components import locks
from emotion_pipeline.components.errors import UserError
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


MODEL_FILES = {"saved_model.pb", "variables/variables.index", "variables/variables.data"}


def push_at_once(tmp_path, base, pushers=8):
    """Pushes different models at the same moment; returns their versions and what a server saw."""
    models = []
    for number in range(pushers):
        folder = tmp_path / f"model-{number}"
        for name in MODEL_FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(bytes([number]) * 300_000)
        models.append(folder)
    ready, done, half = threading.Barrier(pushers), threading.Event(), []

    def pushed(folder):
        ready.wait()
        return push_version(str(folder), str(base))

    def watch():
        while not done.is_set():
            for version in base.glob("[0-9]*"):
                if version.name.isdigit():
                    files = [path for path in version.rglob("*") if path.is_file()]
                    found = {path.relative_to(version).as_posix() for path in files}
                    contents = {path.read_bytes()[:1] for path in files}
                    if found != MODEL_FILES or len(contents) != 1:
                        half.append((version.name, found))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with concurrent.futures.ThreadPoolExecutor(pushers) as pool:
        versions = list(pool.map(pushed, models))
    done.set()
    watcher.join()
    return versions, half


@pytest.mark.parametrize("has_locks", [True, False])
def test_pushers_at_once_publish_whole_versions_and_each_its_own(tmp_path, monkeypatch, has_locks):
    if not has_locks:

        def no_locks(file, operation):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(locks.fcntl, "flock", no_locks)
    base = tmp_path / "pushed"
    versions, half = push_at_once(tmp_path, base)
    assert half == []
    left = [] if has_locks else [".push.lock"]
    assert sorted([*left, *map(str, versions)]) == names(base)
    assert len(set(versions)) == len(versions)
    for number, version in enumerate(versions):
        assert (base / str(version) / "saved_model.pb").read_bytes()[:1] == bytes([number])


def test_what_is_no_model_is_not_pushed(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no SavedModel"):
        push_version(str(tmp_path / "empty"), str(tmp_path / "pushed"))
    assert not (tmp_path / "pushed").exists()


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


def test_folders_that_are_no_versions_do_not_count(model_dir, tmp_path):
    base = tmp_path / "pushed"
    for name in ("20261201033710104818555", "\u0663"):
        (base / name).mkdir(parents=True)
    assert push_version(str(model_dir), str(base)) < 2**40
    (base / str(2**63 - 1)).mkdir()
    (model_dir / "saved_model.pb").write_bytes(b"another graph")
    with pytest.raises(UserError, match="there is a version 9223372036854775807"):
        push_version(str(model_dir), str(base))


def test_a_push_that_is_cut_off_leaves_no_version_and_the_next_clears_up(
    model_dir, tmp_path, monkeypatch
):
    base = tmp_path / "pushed"

    def cut_off(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "rename", cut_off)
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
