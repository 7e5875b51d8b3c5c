"""A disk that is full while the network trains: what is told, what stays, and how it goes on."""

import json
import pathlib

import pytest

from emotion_pipeline.components.sources.sample_data import draw_sample
from tests.e2e.conftest import SHORT, emotion, run_pipeline

pytestmark = pytest.mark.slow

# Larger than all that comes before, and smaller than the state of the training.
LIMIT_BYTES = 16 * 2**20


def leavings(root: pathlib.Path) -> list[pathlib.Path]:
    return [*root.rglob("*.part"), *(root / "checkpoints").rglob("*_temp")]


def test_a_training_on_a_full_disk_says_so_and_goes_on(tmp_path):
    data, root = tmp_path / "data", tmp_path / "root"
    draw_sample(data, images=210)
    root.mkdir()
    (root / "summary.json").write_text('{"status": "pushed"}')

    done = emotion("run", "--data", data, "--root", root, *SHORT, file_bytes=LIMIT_BYTES)
    told = done.stdout + done.stderr
    assert done.returncode == 1, told
    assert "Traceback" not in told
    [failed] = [line for line in told.splitlines() if line.startswith("failed: ")]
    assert "the disk is full or a limit of size is reached" in failed
    assert "give the same command again: it goes on where it stopped" in failed
    summary = json.loads((root / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert summary["components"][-1]["id"] == "Trainer"

    # As a training of other settings may have left it, which nobody goes on with.
    (root / "checkpoints/other-00003/epoch-00002.part/variables_temp").mkdir(parents=True)
    (root / "checkpoints/other-00003/best-00001/variables_temp").mkdir(parents=True)
    again = run_pipeline(root, data, *SHORT)
    assert again.status == 0, again.output
    assert again.summary["status"] == "pushed"
    cached = {one["id"] for one in again.summary["components"] if one["cached"]}
    assert {"ImageIngest", "ImageExampleGen", "Transform"} <= cached
    assert leavings(root) == []
