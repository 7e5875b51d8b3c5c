"""What is no file where one is meant, before anything is begun."""

import os

import pytest

from emotion_pipeline.commands.configure import check_places
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.settings import with_overrides


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("votes", "{path}"),
        ("schema", "{path}"),
        ("against", "{path}"),
        ("train.teachers", ["{there}", "{path}"]),
        ("train.warm_start", "{path}"),
    ],
)
def test_what_is_to_be_read_and_is_not_there_is_named_at_once(tmp_path, key, value):
    def settings(path):
        names = {"path": path, "there": tmp_path}
        filled = (
            [one.format(**names) for one in value]
            if isinstance(value, list)
            else value.format(**names)
        )
        *group, name = key.split(".")
        return {group[0]: {name: filled}} if group else {name: filled}

    missing = tmp_path / "missing"
    with pytest.raises(UserError, match=f"^{key}: {missing}: no such file or folder$"):
        check_places(with_overrides(PipelineConfig(), settings(missing)))
    there = tmp_path / "there"
    there.write_text("")
    check_places(with_overrides(PipelineConfig(), settings(there)))
    if key not in ("schema", "against"):
        check_places(with_overrides(PipelineConfig(), settings("gs://bucket/models")))


@pytest.mark.parametrize("key", ["votes", "schema"])
def test_a_folder_in_the_place_of_a_file_is_named(tmp_path, key):
    with pytest.raises(UserError, match=f"^{key}: {tmp_path}: is a folder; give a file$"):
        check_places(with_overrides(PipelineConfig(), {key: str(tmp_path)}))


@pytest.mark.parametrize("key", ["data", "votes", "schema", "against"])
def test_a_pipe_or_device_is_named_and_not_waited_for(tmp_path, key):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (str(pipe), "/dev/zero"):
        config = with_overrides(PipelineConfig(), {key: path})
        with pytest.raises(UserError, match=f"^{key}: {path}: is a pipe or a device"):
            check_places(config)
