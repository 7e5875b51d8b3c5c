import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.modules.distribution import choose_strategy
from tests.pipeline.mirrored_training import make_split

REPOSITORY = pathlib.Path(__file__).parents[2]


def train_on_two(folder, stop_after=0):
    return subprocess.run(
        [sys.executable, "-m", "tests.pipeline.mirrored_training", str(folder), str(stop_after)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_one_device_needs_no_strategy():
    for distribution in ("auto", "one"):
        assert choose_strategy(distribution).num_replicas_in_sync == 1


@pytest.mark.slow
def test_two_replicas_learn_go_on_and_export(tmp_path):
    undisturbed = train_on_two(tmp_path / "whole")
    assert undisturbed.returncode == 0, undisturbed.stderr[-3000:]
    result = json.loads(undisturbed.stdout.splitlines()[-1])
    assert result["replicas"] == 2
    assert len(result["history"]) == 3
    losses = [row["loss"] for row in result["history"]]
    assert losses[2] < losses[0]
    assert max(row["val_accuracy"] for row in result["history"]) == 1.0

    assert train_on_two(tmp_path / "cut", stop_after=2).returncode == 9
    resumed = json.loads(train_on_two(tmp_path / "cut").stdout.splitlines()[-1])
    assert resumed.pop("resumed_at") == [2]
    assert result.pop("resumed_at") == []
    assert resumed == result

    served = tf.saved_model.load(str(tmp_path / "whole" / "model")).signatures["pixels"]
    split = make_split(24, seed=2)
    answer = served(pixels=tf.constant(split.pixels / np.float32(255)))
    np.testing.assert_array_equal(answer["probabilities"].numpy().argmax(axis=1), split.labels)
