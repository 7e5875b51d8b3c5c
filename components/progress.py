"""One way for long work to say how far it is."""

import contextlib
import logging
import threading
from collections.abc import Iterator

LOGGER_NAME = "emotion"


def report(message: str) -> None:
    """Tells the user one line; the command line shows it, elsewhere it is an info line in the log."""
    logging.getLogger(LOGGER_NAME).info(message)


@contextlib.contextmanager
def waiting_for(what: str, after_secs: float = 10.0) -> Iterator[None]:
    """Tells the user once what is waited for, where the block has not ended after so many seconds."""
    timer = threading.Timer(after_secs, report, [f"waiting for {what}"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def format_secs(seconds: float) -> str:
    """Returns seconds as people read them.

    Example:
      >>> [format_secs(seconds) for seconds in (8.24, 185, 7800)]
      ['8.2 s', '3 min 05 s', '2 h 10 min']
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, secs = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {secs:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
