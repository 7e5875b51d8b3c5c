import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from emotion_pipeline.components.image_ingest.workers import map_in_order


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_results_come_in_the_items_order(workers):
    items = [str(number) for number in range(1000)]
    assert list(map_in_order(int, iter(items), workers)) == list(range(1000))
    assert list(map_in_order(int, [], workers)) == []


def test_no_worker_is_left_by_a_caller_that_stops_early():
    others = set(psutil.Process().children())  # of tests that ran before in this process
    results = map_in_order(int, map(str, range(100_000)), 2)
    assert next(results) == 0
    workers = set(psutil.Process().children()) - others
    assert len(workers) >= 2
    results.close()
    assert not [one for one in workers if one.is_running()]


def end(status):
    os._exit(status)


def test_a_worker_that_ends_is_an_error():
    with pytest.raises(RuntimeError, match="a worker process ended before its work was done"):
        list(map_in_order(end, [0], 2))


def test_workers_end_with_a_parent_that_is_killed():
    program = (
        "from emotion_pipeline.components.image_ingest.workers import map_in_order\n"
        "for each in map_in_order(int, map(str, range(10**9)), 2):\n"
        "    print(each, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        workers = psutil.Process(parent.pid).children()
        assert len(workers) == 2
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(one.is_running() for one in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [one for one in workers if one.is_running()]
