import os
import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import threading
import time
from emotion_faces.model_server import signals

waker = signals.Waker()
print("ready", flush=True)
waker.wait()
ended = threading.Event()
threading.Timer(0.3, ended.set).start()
ended.wait()  # the drain, while signals still come
print("drained", flush=True)
"""


@pytest.mark.parametrize("attempt", range(5))
def test_a_hundred_signals_wake_it_and_hang_nothing(attempt):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        for index in range(100):
            os.kill(process.pid, (signal.SIGTERM, signal.SIGINT)[index % 2])
            time.sleep(0.001 * (index % (attempt + 1)) / 2)
        assert process.communicate(timeout=20)[0] == "drained\n"
        assert process.returncode == 0
    finally:
        process.kill()


def test_another_thread_wakes_it():
    program = PROGRAM.replace(
        "waker.wait()", "threading.Timer(0.1, waker.wake).start()\nwaker.wait()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "ready\ndrained\n"
