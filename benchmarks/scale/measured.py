"""Runs a program of this folder in a process of its own and measures it."""

import json
import os
import subprocess
import sys
import tempfile
import time

import psutil

MIB = 2**20
SAMPLE_SECS = 0.05


def measure(module: str, *arguments: str) -> dict:
    """Runs `python -m MODULE ARGUMENTS`, whose last line of output is a JSON object.

    Args:
      module: The program.
      *arguments: What it gets.

    Returns:
      The object, with these beside its own keys. `process_seconds` and `process_cpu_seconds`, from
      the process's start to its end, imports included. `peak_mib`, its memory with that of all
      processes below it: the largest sum, taken every 50 ms, in which what they share counts as often
      as it is shared, or the kernel's record of the process alone where that is more. `others`, the
      share of the machine's cores that other programs took meanwhile: figures with a large one are
      those of a busy machine.
    """
    start, busy = time.monotonic(), _busy_secs()
    with (
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdout=output,
            stderr=log,
            env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},  # as the command line does
        ) as process,
    ):
        root = psutil.Process(process.pid)
        peak = 0
        # Not Popen's own wait, which forgets what the kernel recorded.
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            peak = max(peak, _tree_bytes(root))
            time.sleep(SAMPLE_SECS)
        _, status, usage = ended
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds, busy = time.monotonic() - start, _busy_secs() - busy
        if process.returncode:
            log.seek(0)
            command = " ".join((module, *arguments))
            sys.exit(
                f"{log.read()[-4000:].decode()}{command}: ended with status {process.returncode}"
            )
        output.seek(0)
        told = json.loads(output.read().splitlines()[-1])
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return {
        **told,
        "process_seconds": round(seconds, 1),
        "process_cpu_seconds": round(cpu_seconds, 1),
        "peak_mib": round(max(peak, usage.ru_maxrss * 1024) / MIB),
        "others": max(0.0, busy - cpu_seconds) / seconds / (psutil.cpu_count() or 1),
    }


def _busy_secs() -> float:
    times = psutil.cpu_times()
    return times.user + times.nice + times.system


def _tree_bytes(root: psutil.Process) -> int:
    total = 0
    try:
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass  # ended while it was looked at
    return total
