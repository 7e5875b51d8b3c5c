"""The thread that looks at pictures for the page."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import Any

from emotion_faces.web.annotator import Annotator

_MAX_WAITING = 16  # calls, of which the gate lets in fewer uploads: there is room for the rest


class BusyError(Exception):
    """More requests are waiting than may."""


class Worker:
    """Runs one call at a time in a thread, and lets few wait: the detector takes no two."""

    def __init__(self, annotator: Annotator):
        self.annotator = annotator
        self._executor = concurrent.futures.ThreadPoolExecutor(1, "annotate")
        self._waiting = 0

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Returns what the function returns.

        Raises:
          BusyError: Too many calls are waiting.
        """
        if self._waiting >= _MAX_WAITING:
            raise BusyError(f"{self._waiting} requests are waiting already: try again in a moment")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, function, *arguments)
        finally:
            self._waiting -= 1
