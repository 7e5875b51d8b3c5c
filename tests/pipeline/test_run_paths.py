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
    config = config_of("--root", str(tmp_path), "--push-dir", address, "--data", address)
    assert (config.push_path, config.data) == (address,) * 2
    assert pathlib.Path(config.root) == tmp_path


def test_the_root_is_local():
    with pytest.raises(
        UserError, match="--root gs://b/r: ML Metadata and checkpoints need a local"
    ):
        config_of("--root", "gs://b/r")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--set", "artifacts_dir=gs://b/a"],
            "artifacts_dir: gs://b/a: artifacts are written as local",
        ),
        (
            ["--set", "artifacts_dir=s3://b/a"],
            "artifacts_dir: s3://b/a: artifacts are written as local",
        ),
        (["--set", "schema=gs://b/s.pbtxt"], "schema: gs://b/s.pbtxt: give a file of this machine"),
        (["--set", "against=s3://b/run"], "against: s3://b/run: give a folder or file of this"),
        (
            ["--push-dir", "minio://b/m"],
            "--push-dir minio://b/m: give a local folder, or an address",
        ),
        (["--push-dir", "s3://"], "--push-dir s3://: give a local folder, or an address"),
        (["--push-dir", f"{__file__}/m"], f"--push-dir {__file__}/m: {__file__} is a file, where"),
        (["--push-dir", __file__], f"--push-dir {__file__}: {__file__} is a file; give a folder"),
        (["--push-dir", "https://host/m"], "--push-dir https://host/m: give a local folder"),
        (["--root", "s3://b/r"], "--root s3://b/r: ML Metadata"),
        (["--root", "minio://b/r"], "--root minio://b/r: ML Metadata"),
        (["--runner", "dataflow"], "--runner dataflow: cannot work yet"),
    ],
)
def test_what_cannot_work_says_so_at_once(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as told:
        config_of("--data", "s3://b/data", *arguments)
    assert str(told.value).startswith(message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--summary", "gs://b/s.json"],
        ["validate", "sample", "--json", "s3://b/v.json"],
        ["validate", "sample", "--report", "gs://b/v.html"],
        ["schema", "infer", "sample", "--out", "gs://b/s.pbtxt"],
    ],
)
def test_a_file_to_write_is_a_local_one(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(arguments)
    assert ended.value.code == 2
    assert "is written here; give a local path" in capsys.readouterr().err
