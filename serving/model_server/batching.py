"""Greedy batching: a run takes whatever waits for the same signature and shapes.

It waits for more only where a run before it had more, and then for an instant: callers that were answered
together ask again together, and the first of them would else have a run of its own.

A request that comes in a thread (`run`) has its batch run by it, if a place is free; else it waits, and
either finds its answer there or is woken to run the next batch. One that comes in an event loop
(`run_in_loop`) has it run by a thread of the batcher's. Requests of different signatures or shapes never
share a run, so that one odd request harms only itself (Deviation: in TensorFlow Serving it fails its
whole batch), and where a shared run fails, each request is run again alone.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Hashable, Sequence

import grpc
import numpy as np

from emotion_faces.model_server import status

REGATHER_SECS = 0.003
"""What a run waits at most for as many rows as the one before it had: as long as one of one row takes."""

Arrays = Sequence[np.ndarray]
RunFn = Callable[[Arrays, float | None], list[np.ndarray]]


@dataclasses.dataclass(frozen=True)
class BatchingOptions:
    """How requests share runs.

    Attributes:
      max_batch_size: Most rows in one run; a longer request goes in several runs, or is refused
        where `split_large_batches` is False.
      batch_timeout_secs: How long a run waits for its batch to fill.
      num_batch_threads: Runs at a time, for one model version.
      runs_per_key: Of these, runs at a time for one signature and shape. TensorFlow spreads each
        run over the cores itself, and fewer, larger runs cost less CPU for each row.
      max_enqueued_rows: Rows that may wait; None for no limit.
      allowed_batch_sizes: Sizes that a run is padded to, rising; empty for none.
      share: Whether requests share runs at all; where not, none is split either.
    """

    max_batch_size: int = 128
    batch_timeout_secs: float = 0.0
    num_batch_threads: int = max(2, os.cpu_count() or 1)
    runs_per_key: int = max(1, (os.cpu_count() or 1) // 2)
    max_enqueued_rows: int | None = None
    allowed_batch_sizes: tuple[int, ...] = ()
    split_large_batches: bool = True
    share: bool = True


class _Task:
    """One request's rows in a queue; its thread sleeps on `wake`, or its event loop awaits `future`."""

    __slots__ = (
        "deadline", "enqueued", "error", "future", "inputs", "lead", "outputs", "pad", "rows", "wake"
    )  # fmt: skip

    def __init__(
        self,
        inputs: Arrays,
        rows: int,
        deadline: float | None,
        pad: bool,
        future: asyncio.Future[None] | None = None,
    ):
        self.inputs = inputs
        self.rows = rows
        self.deadline = deadline
        self.pad = pad
        self.future = future
        self.enqueued = time.monotonic()
        self.lead = False
        self.outputs: list[np.ndarray] | None = None
        self.error: Exception | None = None
        self.wake = threading.Lock()  # a bare lock wakes sooner than an Event
        self.wake.acquire()

    def result(self) -> list[np.ndarray]:
        """The outputs of a task that has ended."""
        if self.error is not None:
            raise self.error
        assert self.outputs is not None
        return self.outputs


class _Queue:
    """What waits for one signature and shape."""

    __slots__ = ("forming", "run", "running", "tasks")

    def __init__(self, run: RunFn):
        self.run = run
        self.running = 0
        self.tasks: collections.deque[_Task] = collections.deque()
        self.forming: _Task | None = None  # its thread waits for the batch to fill

    def rows(self) -> int:
        return sum(task.rows for task in self.tasks)


class Batcher:
    """Shares runs among the requests of one model version; safe from any thread."""

    def __init__(self, options: BatchingOptions):
        self._options = options
        self._lock = threading.Lock()
        self._queues: dict[Hashable, _Queue] = {}
        self._running = 0
        self._waiting_rows = 0
        self._last: tuple[Hashable, int] = (None, 0)  # key and rows of the newest run
        self._threads = concurrent.futures.ThreadPoolExecutor(options.num_batch_threads, "batch")

    def close(self) -> None:
        """Ends the batcher's threads; no run may be under way."""
        self._threads.shutdown(wait=False)

    def run(
        self, key: Hashable, run: RunFn, inputs: Arrays, deadline: float | None = None
    ) -> list[np.ndarray]:
        """Runs `inputs`, perhaps with others of the same key, and returns their own outputs.

        Args:
          key: Equal for requests that may share a run; the rows must fit together.
          run: Called with inputs of up to `max_batch_size` rows and the latest deadline of their
            requests; every output has as many rows.
          inputs: Arrays with one first dimension, 1 or more.
          deadline: Of time.monotonic(); a request still queued then is given up.

        Raises:
          StatusError: The deadline passed, the queue is full or the request is too large.
        """
        parts = self._parts(inputs)
        if parts is None:
            return self.run_alone(run, inputs, deadline)
        return _joined([self._run_rows(key, run, _Task(*part, deadline, True)) for part in parts])

    async def run_in_loop(
        self, key: Hashable, run: RunFn, inputs: Arrays, deadline: float | None = None
    ) -> list[np.ndarray]:
        """Does what `run` does for a caller in an event loop; one that is cancelled leaves the queue."""
        parts = self._parts(inputs)
        if parts is None:
            return await self.run_alone_in_loop(run, inputs, deadline)
        return _joined(
            [await self._await_rows(key, run, part, deadline, pad=True) for part in parts]
        )

    def run_alone(
        self, run: RunFn, inputs: Arrays, deadline: float | None = None
    ) -> list[np.ndarray]:
        """Runs inputs that have no batch dimension, in their turn and never with others."""
        return self._run_rows(object(), run, _Task(inputs, 1, deadline, False))

    async def run_alone_in_loop(
        self, run: RunFn, inputs: Arrays, deadline: float | None = None
    ) -> list[np.ndarray]:
        """Does what `run_alone` does for a caller in an event loop."""
        return await self._await_rows(object(), run, (inputs, 1), deadline, pad=False)

    def _parts(self, inputs: Arrays) -> list[tuple[Arrays, int]] | None:
        """Returns what goes into a run each, with its rows; None where requests share no runs."""
        if not self._options.share:
            return None
        rows = len(inputs[0])
        limit = self._options.max_batch_size
        if rows <= limit:
            return [(inputs, rows)]
        if not self._options.split_large_batches:
            raise status.invalid_argument(
                f"Task size {rows} is larger than maximum input batch size {limit}"
            )
        return [
            ([array[start : start + limit] for array in inputs], min(limit, rows - start))
            for start in range(0, rows, limit)
        ]

    def _run_rows(self, key: Hashable, run: RunFn, task: _Task) -> list[np.ndarray]:
        self._enqueue(key, run, task)
        if not task.lead:
            deadline = task.deadline
            remaining = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
            if not task.wake.acquire(timeout=remaining) and not self._lead_after_all(key, task):
                raise self._timed_out()
        if task.lead:
            self._lead(key, task)
        return task.result()

    async def _await_rows(
        self,
        key: Hashable,
        run: RunFn,
        part: tuple[Arrays, int],
        deadline: float | None,
        pad: bool,
    ) -> list[np.ndarray]:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        task = _Task(*part, deadline, pad, future)
        self._enqueue(key, run, task)
        if task.lead:
            self._threads.submit(self._lead, key, task)

        def give_up() -> None:
            if not future.done() and not self._lead_after_all(key, task):
                future.set_exception(self._timed_out())

        timer = None
        if deadline is not None:
            timer = loop.call_later(max(0.0, deadline - time.monotonic()), give_up)
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError:
            # The caller is gone, and leaves the queue; one that leads a run holds its version.
            while self._lead_after_all(key, task) and not future.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(future)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        return task.result()

    def _enqueue(self, key: Hashable, run: RunFn, task: _Task) -> None:
        options = self._options
        with self._lock:
            most = options.max_enqueued_rows
            if most is not None and self._waiting_rows + task.rows > most:
                raise status.unavailable(
                    "The batch scheduling queue to which this task was submitted is full"
                )
            queue = self._queues.get(key)
            if queue is None:
                queue = self._queues[key] = _Queue(run)
            queue.tasks.append(task)
            self._waiting_rows += task.rows
            if queue.forming is not None:
                if queue.rows() >= self._enough(key):
                    queue.forming.wake.release()
                    queue.forming = None
            elif self._running < options.num_batch_threads and self._may_run(queue):
                self._running += 1
                queue.running += 1
                task.lead = True

    def _lead_after_all(self, key: Hashable, task: _Task) -> bool:
        """Settles a timeout: True where the task got an answer or the lead in that instant."""
        with self._lock:
            if task.lead or task.outputs is not None or task.error is not None:
                return True
            queue = self._queues.get(key)
            if queue is not None and task in queue.tasks:
                self._remove(key, queue, [task])
            return False

    def _timed_out(self) -> status.StatusError:
        return status.StatusError(
            grpc.StatusCode.RESOURCE_EXHAUSTED
            if not self._options.split_large_batches
            else grpc.StatusCode.DEADLINE_EXCEEDED,
            "Run() timeout exceeded while waiting in batching queue",
        )

    def _remove(self, key: Hashable, queue: _Queue, tasks: Sequence[_Task]) -> None:
        for task in tasks:
            queue.tasks.remove(task)
            self._waiting_rows -= task.rows
        self._drop_if_idle(key, queue)

    def _drop_if_idle(self, key: Hashable, queue: _Queue) -> None:
        if not (queue.tasks or queue.running):
            del self._queues[key]

    def _may_run(self, queue: _Queue) -> bool:
        return queue.forming is None and queue.running < self._options.runs_per_key

    def _lead(self, key: Hashable, own: _Task) -> None:
        """Runs the batch that the own task is in, then hands the place on."""
        try:
            self._wait_to_fill(key, own)
            batch, run = self._take(key, own)
            self._execute(run, batch, own.pad)
            _wake(batch, own)
        finally:
            self._hand_on(key)

    def _wait_to_fill(self, key: Hashable, own: _Task) -> None:
        timeout = self._options.batch_timeout_secs or REGATHER_SECS
        with self._lock:
            queue = self._queues[key]
            remaining = own.enqueued + timeout - time.monotonic()
            if remaining <= 0 or queue.rows() >= self._enough(key):
                return
            if queue.forming is not None:
                return
            queue.forming = own
        own.wake.acquire(timeout=remaining)
        with self._lock:
            if queue.forming is own:
                queue.forming = None

    def _enough(self, key: Hashable) -> int:
        """Returns for how many rows a run waits."""
        most = self._options.max_batch_size
        if self._options.batch_timeout_secs:
            return most
        last_key, rows = self._last
        return min(rows, most) if key == last_key else 1

    def _take(self, key: Hashable, own: _Task) -> tuple[list[_Task], RunFn]:
        """The own task first, then the oldest others as far as they fit."""
        with self._lock:
            queue = self._queues[key]
            batch, rows = [own], own.rows
            for task in queue.tasks:
                if task is own:
                    continue
                if rows + task.rows > self._options.max_batch_size:
                    break
                if not task.lead:
                    batch.append(task)
                    rows += task.rows
            self._remove(key, queue, batch)
            self._last = key, rows
            return batch, queue.run

    def _hand_on(self, key: Hashable) -> None:
        """Wakes the oldest waiting request that may run the next batch, or frees the place."""
        with self._lock:
            done = self._queues[key]
            done.running -= 1
            self._drop_if_idle(key, done)
            waiting = []
            for of, queue in self._queues.items():
                head = next((task for task in queue.tasks if not task.lead), None)
                if head is not None and self._may_run(queue):
                    waiting.append((head, of, queue))
            if not waiting:
                self._running -= 1
                return
            head, of, queue = min(waiting, key=lambda found: found[0].enqueued)
            queue.running += 1
            head.lead = True
            if head.future is None:
                head.wake.release()
            else:
                self._threads.submit(self._lead, of, head)

    def _execute(self, run: RunFn, batch: Sequence[_Task], pad: bool) -> None:
        try:
            self._execute_together(run, batch, pad)
        except Exception as error:  # whatever it is, it belongs to the callers
            timed_out = getattr(error, "code", None) is grpc.StatusCode.DEADLINE_EXCEEDED
            if len(batch) == 1 or timed_out:
                for task in batch:
                    task.error = error
                return
            for task in batch:
                self._execute(run, [task], pad)

    def _execute_together(self, run: RunFn, batch: Sequence[_Task], pad: bool) -> None:
        if len(batch) == 1:
            inputs = list(batch[0].inputs)
        else:
            inputs = [
                np.concatenate(arrays)
                for arrays in zip(*(task.inputs for task in batch), strict=True)
            ]
        rows = sum(task.rows for task in batch)
        padding = self._padded_size(rows) - rows if pad else 0
        if padding:
            inputs = [np.concatenate([array, array[:1].repeat(padding, 0)]) for array in inputs]
        outputs = run(inputs, _latest_deadline(batch))
        if len(batch) == 1 and not padding:
            batch[0].outputs = outputs
            return
        start = 0
        for task in batch:
            task.outputs = [array[start : start + task.rows] for array in outputs]
            start += task.rows

    def _padded_size(self, rows: int) -> int:
        return next((size for size in self._options.allowed_batch_sizes if size >= rows), rows)


def _joined(parts: Sequence[list[np.ndarray]]) -> list[np.ndarray]:
    if len(parts) == 1:
        return parts[0]
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def _wake(batch: Sequence[_Task], own: _Task) -> None:
    """Wakes what waits for the tasks of a batch that has run: the threads, and each event loop once."""
    in_loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for task in batch:
        if task.future is not None:
            in_loops.setdefault(task.future.get_loop(), []).append(task.future)
        elif task is not own:
            task.wake.release()
    for loop, futures in in_loops.items():
        with contextlib.suppress(RuntimeError):  # closed: the server ended before the run
            loop.call_soon_threadsafe(_settle, futures)


def _settle(futures: Sequence[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():  # else its caller is gone
            future.set_result(None)


def _latest_deadline(batch: Sequence[_Task]) -> float | None:
    deadlines = [task.deadline for task in batch if task.deadline is not None]
    return max(deadlines) if len(deadlines) == len(batch) else None
