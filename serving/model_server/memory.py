"""Memory that goes back to the system once a version is unloaded.

What an unloaded version left, found by measuring its process (docs/serving.md has the figures):
oneDNN's allocator keeps every tensor it ever had in pools of its own; the graphs of TensorFlow's
Python side are cycles that wait for a full collection; and glibc keeps what is free in the middle of
its arenas.
"""

from __future__ import annotations

import ctypes
import gc
import os

_SYSTEM_ALLOCATOR = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"


def choose_allocator() -> None:
    """Has oneDNN take tensors from malloc and not from pools; before TensorFlow starts."""
    os.environ.setdefault(_SYSTEM_ALLOCATOR, "1")


def release() -> None:
    """Frees cycles, and gives the system what malloc holds free; glibc alone has a call for that."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
