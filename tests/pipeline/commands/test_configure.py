"""What is no file where one is meant, before anything is begun."""

import os

import pytest

from emotion_pipeline.commands.configure import check_places
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.settings import with_overrides


@pytest.mark.parametrize("key", ["data", "votes", "schema", "against"])
def test_a_pipe_or_device_is_named_and_not_waited_for(tmp_path, key):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (str(pipe), "/dev/zero"):
        config = with_overrides(PipelineConfig(), {key: path})
        with pytest.raises(UserError, match=f"^{key}: {path}: is a pipe or a device"):
            check_places(config)
