"""Waiting for SIGTERM or SIGINT, or for a word from another thread, without a lock in a handler.

A handler runs between two steps of the main thread, which may hold any lock: `Event.set()` in it
waits for the event's own lock for good once two signals come close together. Python writes each
signal's number to the wake-up descriptor itself; the handler does nothing.
"""

from __future__ import annotations

import os
import signal

ENDING = (signal.SIGTERM, signal.SIGINT)


class Waker:
    """Wakes the main thread; make it there."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        for number in ENDING:
            signal.signal(number, _nothing)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def wake(self) -> None:
        """Ends wait(), from any thread."""
        os.write(self._write, b"\0")

    def wait(self) -> None:
        """Returns once a signal came, or wake() was called; signals are ignored from then on.

        One that comes late must not end the process in the middle of its own end, where the
        interpreter would have put the default back in place of a handler.
        """
        ending = {int(number) for number in ENDING} | {0}
        while not ending.intersection(os.read(self._read, 512)):
            pass  # a signal of somebody else's handler
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)


def _nothing(number: int, frame: object) -> None:
    """Takes the place of the signal's default, which would end the process."""
