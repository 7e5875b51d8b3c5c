"""Which uploads are let in: decided by their stated size, before a byte of them is read."""

from __future__ import annotations

MAX_UPLOAD_BYTES = 32 * 1024 * 1024
MAX_HELD_BYTES = 2 * MAX_UPLOAD_BYTES
"""Of all uploads together, those that are half sent too."""

MAX_HELD = 8
"""Uploads; more are refused, so that a flood of small ones does not make everybody wait."""

UPLOAD_TIMEOUT_SECS = 60
"""For a whole upload; one that comes slower loses its place to others."""


class FullError(Exception):
    """There is no room for another upload now."""


class Gate:
    """Counts the bytes that the uploads under way have been promised."""

    def __init__(self) -> None:
        self._held: list[int] = []

    def enter(self, size: int) -> None:
        """Reserves room for an upload of `size` bytes.

        Raises:
          FullError: Too many uploads, or too many bytes, are under way.
        """
        if len(self._held) >= MAX_HELD or sum(self._held) + size > MAX_HELD_BYTES:
            raise FullError(
                f"{len(self._held)} pictures are on their way or waiting already: try again in a moment"
            )
        self._held.append(size)

    def leave(self, size: int) -> None:
        """Gives back the room of an upload of `size` bytes that had entered."""
        self._held.remove(size)
