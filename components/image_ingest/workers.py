"""A function over many items, in processes of their own, with results in the items' order."""

import contextlib
import itertools
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, Pipe
from typing import TypeVar

from emotion_faces.import_path import python_command

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_CHUNK = 128
"""Items that travel together: pickling them one by one would cost as much as a picture's hash."""


def map_in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], workers: int
) -> Iterator[_Result]:
    """Yields `function(item)` of each item, in their order, whatever the number of workers.

    Args:
      function: Of a module that is quick to import: each worker does.
      items: Taken as they are needed, a few hundred ahead.
      workers: Processes; below 2 there are none, and the work is done here.

    Raises:
      RuntimeError: A worker ended before its work.
    """
    if workers < 2:
        yield from map(function, items)
        return
    with _started(function, workers) as connections:
        rest = iter(items)
        # Two chunks for each worker: one at work, one that waits.
        turns = [connection for _ in range(2) for connection in connections]
        waiting = [connection for connection in turns if _send(connection, rest)]
        while waiting:
            connection = waiting.pop(0)
            try:
                yield from connection.recv()
            except (EOFError, ConnectionError):
                raise RuntimeError("a worker process ended before its work was done") from None
            if _send(connection, rest):
                waiting.append(connection)


def _send(connection: Connection, items: Iterator) -> bool:
    chunk = list(itertools.islice(items, _CHUNK))
    if chunk:
        connection.send(chunk)
    return bool(chunk)


@contextlib.contextmanager
def _started(function: Callable, workers: int) -> Iterator[list[Connection]]:
    # Not forked, as TensorFlow's threads are in this process. Not by multiprocessing, which runs the
    # main module again in each worker, TFX's imports and all; and the workers of its pools hold both
    # ends of their queue, so that they outlive a parent that is killed.
    connections, processes = [], []
    try:
        for _ in range(workers):
            ours, theirs = Pipe()
            connections.append(ours)
            with theirs:
                end = theirs.fileno()
                processes.append(
                    subprocess.Popen(python_command(__name__, str(end)), pass_fds=[end])
                )
            ours.send(function)
        yield connections
    finally:
        for connection in connections:
            connection.close()
        for process in processes:
            process.wait()


def work(end: int) -> None:
    """Answers chunks of items until the other end is closed; what a worker runs.

    Args:
      end: File descriptor of the connection; the first thing that comes is the function.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends, and then this does
    connection = Connection(end)
    with contextlib.suppress(EOFError, ConnectionError):
        function = connection.recv()
        while True:
            connection.send([function(item) for item in connection.recv()])


if __name__ == "__main__":
    work(int(sys.argv[1]))
