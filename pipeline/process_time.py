"""How long this process has been there, its start and its imports included."""

import datetime
import os
import time

_START_TICKS = 19
"""Where `starttime` stands among the fields that follow the command's name: proc_pid_stat(5)."""


def seconds_since_start() -> float:
    """Returns the seconds since the process was started, to a hundredth; Linux alone says so."""
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    started = int(fields[_START_TICKS]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def process_start() -> datetime.datetime:
    """Returns when the process was started, in UTC."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return now - datetime.timedelta(seconds=seconds_since_start())
