import pathlib

import pytest

from emotion_pipeline.cli import make_parser
from emotion_pipeline.commands.run import make_config
from emotion_pipeline.components.errors import UserError


def config_of(*arguments: str):
    return make_config(make_parser().parse_args(["run", *arguments]))


def test_local_paths_are_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = config_of("--root", "runs/a", "--push-dir", "models")
    assert config.root == str(tmp_path / "runs" / "a")
    assert config.push_path == str(tmp_path / "models")
    assert config.artifacts_path == str(tmp_path / "runs" / "a" / "artifacts")


@pytest.mark.parametrize("address", ["gs://bucket/models", "s3://bucket/models", "hdfs://h/m"])
def test_addresses_in_a_store_stay_as_they_are(address, tmp_path):
    config = config_of(
        *("--root", str(tmp_path), "--push-dir", address, "--data", address),
        *("--set", f"artifacts_dir={address}"),
    )
    assert (config.push_path, config.data, config.artifacts_path) == (address,) * 3
    assert pathlib.Path(config.root) == tmp_path


def test_the_root_is_local():
    with pytest.raises(
        UserError, match="--root gs://b/r: ML Metadata and checkpoints need a local"
    ):
        config_of("--root", "gs://b/r")
