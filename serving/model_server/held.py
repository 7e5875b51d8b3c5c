"""What the server holds of requests that are not answered yet, and the bound of it."""

from __future__ import annotations

import logging
import threading

import grpc

from emotion_faces.model_server import status
from emotion_faces.throttle import Throttle

CALL_BYTES = 16 * 1024
"""What a call takes besides its request: a task, a place in a queue, gRPC's or Tornado's part of it."""

_log = logging.getLogger(__name__)


class Held:
    """Counts the bytes of the requests of both ports, up to a bound; safe from any thread.

    Deviation: in TensorFlow Serving the number of its threads alone bounds them.

    Args:
      most_bytes: The bound.
    """

    def __init__(self, most_bytes: int):
        self._most_bytes = most_bytes
        self._bytes = 0
        self._throttle = Throttle(at_once=True)
        self._lock = threading.Lock()

    def change(self, by: int) -> None:
        """Counts more bytes, or fewer.

        Raises:
          StatusError: RESOURCE_EXHAUSTED: they would be more than the bound.
        """
        with self._lock:
            held = self._bytes
            if by < 0 or held + by <= self._most_bytes:
                self._bytes += by
                return
            is_logged = self._throttle.ready()
        message = (
            f"the requests under way hold {held} bytes and may hold {self._most_bytes} "
            "(--max_held_bytes); try again later"
        )
        if is_logged:
            _log.warning("a request is refused, perhaps others: %s", message)
        raise status.StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, message)

    def start_call(self, request_bytes: int) -> Call:
        """Counts a call until it is closed: its request, and CALL_BYTES.

        Raises:
          StatusError: As `change`.
        """
        return Call(self, request_bytes + CALL_BYTES)


class Call:
    """What one call holds; a context manager that closes it."""

    def __init__(self, held: Held, size: int):
        held.change(size)
        self._held = held
        self._size = size

    def resize(self, size: int) -> None:
        """Counts `size` bytes, and CALL_BYTES, in place of what was.

        Raises:
          StatusError: As `Held.change`; what was counted stays.
        """
        size += CALL_BYTES
        self._held.change(size - self._size)
        self._size = size

    def close(self) -> None:
        """Counts it no longer; a second time does nothing."""
        size, self._size = self._size, 0
        self._held.change(-size)

    def __enter__(self) -> Call:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
