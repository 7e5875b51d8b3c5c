import subprocess
import sys

CODE = """
import time
time.sleep(1.5)  # stands for imports
from emotion_pipeline.process_time import seconds_since_start
print(seconds_since_start())
"""


def test_what_came_before_the_call_counts():
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60
    )
    assert 1.5 <= float(done.stdout) < 30
