"""How far a long task has come, on stderr."""

from __future__ import annotations

import sys
import time
import types
from typing import TextIO

_TERMINAL_SECS = 0.5
_LOG_SECS = 15.0


class Progress:
    """A line that is rewritten on a terminal, or written every 15 s elsewhere; a context manager.

    Args:
      name: What is under way.
      total: How many steps there will be; 0 where nobody knows.
      unit: What a step is, in the plural.
    """

    def __init__(self, name: str, total: int, unit: str, stream: TextIO | None = None):
        self._name = name
        self._total = total
        self._unit = unit
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._done = 0
        self._start = self._shown = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        if self._done and self._terminal:
            self._stream.write(f"\r{self.line()}\033[K\n")

    def advance(self) -> None:
        """Counts a step, and shows the line if it is time."""
        self._done += 1
        now = time.monotonic()
        if now - self._shown >= (_TERMINAL_SECS if self._terminal else _LOG_SECS):
            self._shown = now
            self._stream.write(f"\r{self.line()}\033[K" if self._terminal else f"{self.line()}\n")
            self._stream.flush()

    def line(self) -> str:
        """The line: steps done, rate, and the time left where the total is known."""
        rate = self._done / max(time.monotonic() - self._start, 1e-6)
        if not self._total:
            return f"{self._name}: {self._done} {self._unit}, {rate:.1f}/s"
        left = max(0, self._total - self._done) / max(rate, 1e-6)
        return (
            f"{self._name}: {self._done} of {self._total} {self._unit} "
            f"({self._done / self._total:.0%}), {rate:.1f}/s, {_duration(left)} left"
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
