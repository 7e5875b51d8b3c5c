"""A root whose ML Metadata is damaged is told by the file's name."""

import contextlib
import os
import sqlite3

import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.local_runner import METADATA_FILE, check_metadata, run_until

pytestmark = pytest.mark.slow  # imports TFX


@pytest.fixture
def file(tmp_path):
    path = tmp_path / METADATA_FILE
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("create table one (x)")
        database.executemany("insert into one values (?)", [("x" * 500,)] * 100)
        database.commit()
    return path


def test_what_is_whole_or_new_is_let_through(file, tmp_path):
    before = file.read_bytes()
    check_metadata(file, str(tmp_path))
    check_metadata(tmp_path / "none", str(tmp_path))
    assert file.read_bytes() == before
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("damage", ["truncated", "garbage", "within"])
def test_damage_names_the_file_and_what_to_do(file, tmp_path, damage):
    whole = file.read_bytes()
    file.write_bytes(
        {
            "truncated": whole[:20000],
            "garbage": os.urandom(30000),
            "within": whole[:4096] + b"\xff" * 4096 + whole[8192:],
        }[damage]
    )
    error = run_until(PipelineConfig(root=str(tmp_path), data="sample")).error
    assert isinstance(error, UserError)
    assert str(error).startswith(f"{file}: is damaged (")
    assert str(error).endswith("give the same command again: every step then runs again")
    assert f"or move it and {tmp_path / 'artifacts'} away" in str(error)
    assert "\n" not in str(error)


def test_outputs_whose_metadata_is_gone_are_told(file, tmp_path):
    artifacts = tmp_path / "artifacts"
    (artifacts / "Trainer" / "model" / "22").mkdir(parents=True)
    check_metadata(file, str(artifacts))
    file.unlink()
    error = run_until(PipelineConfig(root=str(tmp_path), data="sample")).error
    assert isinstance(error, UserError)
    assert str(error).startswith(f"{artifacts}: holds outputs of runs that {file} does not know")
    check_metadata(file, "gs://bucket/artifacts")
