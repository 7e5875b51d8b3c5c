"""Servers of socketserver in a thread, for the length of a test."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def running(server: socketserver.BaseServer) -> Iterator[None]:
    """Answers within the block; at its end sets the server's event `over`, for handlers that wait for it."""
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.over.set()
        server.shutdown()
        thread.join()
