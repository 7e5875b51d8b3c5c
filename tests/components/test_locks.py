"""One process at a time: two of them, one killed, one that waits."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from emotion_pipeline.components import locks
from emotion_pipeline.components.locks import LockedError, alone, alone_with

_HOLD = """
import pathlib, sys, time
from emotion_pipeline.components.locks import alone
with alone(pathlib.Path(sys.argv[1]), "it", wait=False):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "folder" / ".lock"


@pytest.fixture
def holder(file):
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(file)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_says_who_holds_it(file, holder):
    with pytest.raises(LockedError) as told, alone(file, "--root x", wait=False, remedy="Wait."):
        pass
    assert str(told.value).startswith(f"--root x is in use by process {holder.pid} on ")
    assert ", since 20" in str(told.value)
    assert str(told.value).endswith(" Wait.")


def test_a_holder_that_is_killed_leaves_nothing_to_clear_away(file, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with alone(file, "it", wait=False) as is_held:
        assert is_held


def test_waits_and_tells_for_whom(file, holder, caplog):
    threading.Timer(0.5, holder.kill).start()
    started = time.monotonic()
    with caplog.at_level("INFO", logger="emotion"), alone(file, "the training", wait=True):
        assert time.monotonic() - started >= 0.4
    assert f"waiting for the training, which is in use by process {holder.pid}" in caplog.text


def test_within_the_block_it_is_had_already(file):
    with alone(file, "it", wait=False), alone(file, "it", wait=False):
        pass
    with alone(file, "it", wait=False):
        pass


def test_the_same_training_is_had_by_one_and_others_beside_it(tmp_path):
    order = []

    def train(key, name):
        with alone_with(str(tmp_path), key):
            order.append(f"{name} begins")
            time.sleep(0.5)
            order.append(f"{name} ends")

    with alone_with(str(tmp_path), "a"):
        same = threading.Thread(target=train, args=("a", "same"))
        other = threading.Thread(target=train, args=("b", "other"))
        same.start()
        other.start()
        other.join()
        assert order == ["other begins", "other ends"]
    same.join()
    assert order[2:] == ["same begins", "same ends"]


def test_where_there_are_no_locks_the_work_goes_on_and_the_log_tells(file, monkeypatch, caplog):
    def no_locks(opened, operation):
        raise OSError(locks.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", no_locks)
    with alone(file, "the push folder", wait=True) as is_held:
        assert not is_held
    assert "the filesystem of" in caplog.text
