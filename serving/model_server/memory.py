"""Memory: kept from one run to the next, and given back to the system once a version is unloaded.

What an unloaded version left, found by measuring its process (docs/serving.md has the figures):
oneDNN's allocator keeps every tensor it ever had in pools of its own; the graphs of TensorFlow's
Python side are cycles that wait for a full collection; and glibc keeps what is free in the middle of
its arenas. And what a run costs where glibc gives each large tensor back at once, and the system fills
its pages with zeros for the next: half of the speed at 32 images.
"""

from __future__ import annotations

import ctypes
import gc
import os
import time

_SYSTEM_ALLOCATOR = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"


_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
"""Parameters of glibc's mallopt (malloc.h)."""


def choose_allocator() -> None:
    """Has oneDNN take tensors from malloc and not from pools; before TensorFlow starts."""
    os.environ.setdefault(_SYSTEM_ALLOCATOR, "1")


def keep_between_runs() -> None:
    """Has malloc keep what a run frees for the next one, in a process that does nothing but serve.

    One arena, since those of other threads end at 64 MiB and go as a whole; no tensor in a mapping of its
    own; and nothing given back but by `release` and by `Idle`.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_M_ARENA_MAX, 1)
        tune(_M_MMAP_MAX, 0)
        tune(_M_TRIM_THRESHOLD, 2**31 - 1)


def release() -> None:
    """Frees cycles, and gives the system what malloc holds free; glibc alone has a call for that."""
    gc.collect()
    _trim()


class Idle:
    """Gives back what runs have left once there were none for a while.

    Args:
      after_secs: How long.
    """

    def __init__(self, after_secs: float = 5.0):
        self._after_secs = after_secs
        self._last_run: float | None = None

    def note_run(self) -> None:
        """Says that a run has ended."""
        self._last_run = time.monotonic()

    def release(self) -> None:
        """Gives the system what malloc holds free, once after the last run; to be called now and then."""
        last = self._last_run
        if last is not None and time.monotonic() - last > self._after_secs:
            self._last_run = None
            _trim()


IDLE = Idle()
"""The process's memory is one, whichever version ran."""


def _trim() -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
