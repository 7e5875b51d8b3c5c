"""Results that have an address while the server runs: in its memory, the oldest given up first."""

from __future__ import annotations

import collections

MAX_RESULT_BYTES = 4 * 1024 * 1024
MAX_KEPT_BYTES = 128 * 1024 * 1024
_OWN_BYTES = 512  # of a name and its place in the dict


class KeptResults:
    """What the page asked to keep, as it sent it, by the names that it chose.

    Args:
      max_bytes: Of all results together.
    """

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES):
        self._max_bytes = max_bytes
        self._held = 0
        self._results: collections.OrderedDict[str, bytes] = collections.OrderedDict()

    def put(self, name: str, data: bytes) -> bool:
        """Keeps a result; False where it is larger than one may be, and is not kept."""
        if len(data) > MAX_RESULT_BYTES:
            return False
        before = self._results.pop(name, None)
        if before is not None:
            self._held -= _size(before)
        self._results[name] = data
        self._held += _size(data)
        while self._held > self._max_bytes:
            self._held -= _size(self._results.popitem(last=False)[1])
        return True

    def get(self, name: str) -> bytes | None:
        """Returns a result; None where there is none, or none any more."""
        return self._results.get(name)


def _size(data: bytes) -> int:
    return len(data) + _OWN_BYTES
