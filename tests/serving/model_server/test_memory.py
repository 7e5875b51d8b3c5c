import subprocess
import sys

import pytest

_PROCESS = """
import os
import sys

import numpy as np

from emotion_faces.model_server import memory

memory.keep_between_runs()


def resident_mib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


before = resident_mib()
for _ in range(3):
    np.ones(100 * 2**20, np.uint8)  # 100 MiB, freed at once
kept = resident_mib() - before
idle = memory.Idle(after_secs=float(sys.argv[1]))
idle.release()  # nothing has run
assert abs(resident_mib() - before - kept) < 5
idle.note_run()
idle.release()
print(round(kept), round(resident_mib() - before))
"""


def resident(after_secs):
    """MiB that a process has more after it has freed 100, and what it still has after `Idle.release`."""
    done = subprocess.run(
        [sys.executable, "-c", _PROCESS, str(after_secs)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc alone is tuned")
def test_what_a_run_frees_is_kept_for_the_next_until_there_is_none():
    kept, left = resident(after_secs=-1)
    assert kept >= 99
    assert left <= 5
    kept, left = resident(after_secs=60)
    assert left == kept >= 99
