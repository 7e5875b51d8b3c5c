"""Tells what goes on for long, or happens again and again, now and then."""

import time


class Throttle:
    """Lets a message through at most once in a number of seconds.

    Args:
      every_secs: The number.
      at_once: Whether the first goes through without a wait.
    """

    def __init__(self, every_secs: float = 10.0, at_once: bool = False):
        self._every_secs = every_secs
        self._ready_at = time.monotonic() + (0.0 if at_once else every_secs)

    def ready(self) -> bool:
        """Whether the wait is over; if so the next begins."""
        now = time.monotonic()
        if now < self._ready_at:
            return False
        self._ready_at = now + self._every_secs
        return True
