import asyncio
import os
import threading
import time

import grpc
import numpy as np
import pytest

from emotion_faces.model_server import batching, status


class Model:
    """Adds 1; holds each run until `go`; keeps the sizes of its runs."""

    def __init__(self):
        self.go = threading.Event()
        self.go.set()
        self.started = threading.Event()
        self.sizes = []
        self.deadlines = []

    def __call__(self, arrays, deadline):
        self.sizes.append(len(arrays[0]))
        self.deadlines.append(deadline)
        self.started.set()
        assert self.go.wait(10)
        if (arrays[0] < 0).any():
            raise status.invalid_argument("negative")
        return [arrays[0] + 1]


def until(holds):
    """Waits for a state that another thread brings about."""
    give_up_at = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up_at, "never came to be"
        time.sleep(0.001)


def queued(batcher):
    with batcher._lock:
        return sum(len(queue.tasks) for queue in batcher._queues.values())


def is_idle(batcher: batching.Batcher) -> bool:
    """Waits until nothing is left of what ran: no queue, no place taken, no row that counts as waiting."""
    until(lambda: (batcher._queues, batcher._running, batcher._waiting_rows) == ({}, 0, 0))
    return True


def in_threads(calls, batcher=None):
    """Runs calls at the same time; their threads, and their results or errors in order.

    With a batcher whose places are taken each waits in its queue, or has ended, before the next comes.
    """
    results = [None] * len(calls)

    def run(index, call):
        try:
            results[index] = call()
        except status.StatusError as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        before = queued(batcher) if batcher else 0
        thread.start()
        if batcher:
            until(lambda t=thread, n=before: queued(batcher) > n or not t.is_alive())
    return threads, results


def rows(*values):
    return [np.array(values, np.float32)]


def hold_first(batcher, model, calls):
    """Starts a run that holds the only place, queues `calls`, and lets go."""
    model.go.clear()
    model.started.clear()
    first, _ = in_threads([lambda: batcher.run("k", model, rows(0))])
    assert model.started.wait(10)
    threads, results = in_threads(calls, batcher)
    model.go.set()
    for thread in first + threads:
        thread.join(10)
    return results


class InLoop:
    """A batcher whose callers, threads as ever, have an event loop ask it."""

    def __init__(self, batcher: batching.Batcher, loop: asyncio.AbstractEventLoop):
        self._batcher = batcher
        self._loop = loop

    def __getattr__(self, name):
        return getattr(self._batcher, name)

    def _await(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def run(self, *arguments):
        return self._await(self._batcher.run_in_loop(*arguments))

    def run_alone(self, *arguments):
        return self._await(self._batcher.run_alone_in_loop(*arguments))


@pytest.fixture
def loop():
    """An event loop that runs in a thread."""
    one = asyncio.new_event_loop()
    thread = threading.Thread(target=one.run_forever)
    thread.start()
    yield one
    one.call_soon_threadsafe(one.stop)
    thread.join(30)
    one.close()


@pytest.fixture(params=["threads", "loop"])
def make_batcher(request, loop):
    """Makes batchers, which threads ask or an event loop does."""

    def make(options):
        batcher = batching.Batcher(options)
        return batcher if request.param == "threads" else InLoop(batcher, loop)

    return make


def test_takes_what_waits(make_batcher):
    batcher, model = make_batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    calls = [lambda v=v: batcher.run("k", model, rows(v)) for v in (1, 2, 3)]
    results = hold_first(batcher, model, calls)
    assert [result[0].tolist() for result in results] == [[2.0], [3.0], [4.0]]
    assert model.sizes == [1, 3]


def test_other_keys_run_apart(make_batcher):
    batcher, model = make_batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    calls = [lambda k=k: batcher.run(k, model, rows(1)) for k in ("a", "b", "a")]
    hold_first(batcher, model, calls)
    assert sorted(model.sizes) == [1, 1, 2]


def test_runs_of_one_key_take_turns_and_hold_up_no_other(make_batcher):
    options = batching.BatchingOptions(num_batch_threads=2, runs_per_key=1)
    batcher, slow, quick = make_batcher(options), Model(), Model()
    slow.go.clear()
    threads, results = in_threads([lambda: batcher.run("k", slow, rows(1))])
    assert slow.started.wait(10)
    more, more_results = in_threads(
        [lambda v=v: batcher.run("k", slow, rows(v)) for v in (2, 3)], batcher
    )
    assert batcher.run("other", quick, rows(7))[0].tolist() == [8.0]
    assert slow.sizes == [1]
    slow.go.set()
    for thread in threads + more:
        thread.join(10)
    assert [result[0].tolist() for result in results + more_results] == [[2.0], [3.0], [4.0]]
    assert slow.sizes == [1, 2]


def test_a_bad_request_harms_only_itself(make_batcher):
    batcher, model = make_batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    calls = [lambda v=v: batcher.run("k", model, rows(v)) for v in (1, -1, 3)]
    good, bad, also_good = hold_first(batcher, model, calls)
    assert (good[0].tolist(), also_good[0].tolist()) == ([2.0], [4.0])
    assert bad.message == "negative"


def test_a_long_request_goes_in_parts(make_batcher):
    batcher, model = make_batcher(batching.BatchingOptions(max_batch_size=4)), Model()
    (output,) = batcher.run("k", model, [np.arange(10, dtype=np.float32)])
    assert output.tolist() == [float(v + 1) for v in range(10)]
    assert model.sizes == [4, 4, 2]


def test_a_long_request_is_refused_where_it_may_not_be_split(make_batcher):
    options = batching.BatchingOptions(max_batch_size=4, split_large_batches=False)
    with pytest.raises(
        status.StatusError, match="Task size 5 is larger than maximum input batch size 4"
    ):
        make_batcher(options).run("k", Model(), [np.zeros(5)])


def test_padding_rows_are_never_returned(make_batcher):
    options = batching.BatchingOptions(max_batch_size=8, allowed_batch_sizes=(4, 8))
    model = Model()
    (output,) = make_batcher(options).run("k", model, rows(1, 2, 3))
    assert output.tolist() == [2.0, 3.0, 4.0]
    assert model.sizes == [4]


def test_full_queue(make_batcher):
    options = batching.BatchingOptions(num_batch_threads=1, max_enqueued_rows=2)
    batcher, model = make_batcher(options), Model()
    calls = [lambda v=v: batcher.run("k", model, rows(v)) for v in (1, 2, 3)]
    results = hold_first(batcher, model, calls)
    assert results[2].code is grpc.StatusCode.UNAVAILABLE
    assert [result[0].tolist() for result in results[:2]] == [[2.0], [3.0]]


def test_deadline_while_queued(make_batcher):
    options = batching.BatchingOptions(num_batch_threads=1, split_large_batches=False)
    batcher, model = make_batcher(options), Model()
    model.go.clear()
    first, _ = in_threads([lambda: batcher.run("k", model, rows(0))])
    assert model.started.wait(10)
    with pytest.raises(status.StatusError, match="timeout exceeded while waiting") as raised:
        batcher.run("k", model, rows(1), time.monotonic() + 0.05)
    assert raised.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    model.go.set()
    first[0].join(10)
    assert model.sizes == [1]
    assert batcher.run("k", model, rows(5))[0].tolist() == [6.0]


def test_waits_for_a_full_batch_and_no_longer(make_batcher):
    options = batching.BatchingOptions(
        max_batch_size=2, num_batch_threads=1, batch_timeout_secs=3600.0
    )
    batcher, model = make_batcher(options), Model()
    threads, results = in_threads([lambda v=v: batcher.run("k", model, rows(v)) for v in (1, 2)])
    for thread in threads:
        thread.join(60)
    assert model.sizes == [2]
    assert [result[0].tolist() for result in results] == [[2.0], [3.0]]
    assert is_idle(batcher)


def test_many_at_once_each_get_their_own(make_batcher):
    batcher, model = make_batcher(batching.BatchingOptions(max_batch_size=5)), Model()
    wrong = []

    def caller(base):
        for step in range(50):
            (output,) = batcher.run("k", model, rows(base + step))
            if output.tolist() != [base + step + 1.0]:
                wrong.append(output)

    threads = [threading.Thread(target=caller, args=(1000 * n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
    assert sum(model.sizes) == 16 * 50


def test_the_defaults_are_those_of_the_reference():
    cores = os.cpu_count() or 1
    assert batching.BatchingOptions() == batching.BatchingOptions(
        max_batch_size=128,
        batch_timeout_secs=0.0,
        num_batch_threads=max(2, cores),
        runs_per_key=max(1, cores // 2),
        max_enqueued_rows=None,
        allowed_batch_sizes=(),
        split_large_batches=True,
        share=True,
    )


def test_a_batch_of_the_largest_size_is_not_too_large(make_batcher):
    options = batching.BatchingOptions(max_batch_size=4, split_large_batches=False)
    batcher, model = make_batcher(options), Model()
    (output,) = batcher.run("k", model, rows(1, 2, 3, 4))
    assert output.tolist() == [2.0, 3.0, 4.0, 5.0]
    assert is_idle(batcher)


def test_what_waits_fills_a_run_to_the_last_row_and_the_next_takes_the_rest(make_batcher):
    options = batching.BatchingOptions(max_batch_size=3, num_batch_threads=1)
    batcher, model = make_batcher(options), Model()
    calls = [lambda v=v: batcher.run("k", model, rows(*v)) for v in ((1,), (2, 3), (4,), (5,))]
    results = hold_first(batcher, model, calls)
    assert [result[0].tolist() for result in results] == [[2.0], [3.0, 4.0], [5.0], [6.0]]
    assert model.sizes == [1, 3, 2]
    assert is_idle(batcher)


def test_who_came_first_is_not_overtaken_by_what_would_fit(make_batcher):
    options = batching.BatchingOptions(max_batch_size=3, num_batch_threads=1)
    batcher, model = make_batcher(options), Model()
    calls = [lambda v=v: batcher.run("k", model, rows(*v)) for v in ((1, 1), (2, 2), (3,))]
    hold_first(batcher, model, calls)
    assert model.sizes == [1, 2, 3]


def test_the_place_goes_to_the_key_that_waited_longest(make_batcher):
    options = batching.BatchingOptions(num_batch_threads=1)
    batcher, model = make_batcher(options), Model()
    order = []

    def noting(name):
        def run(arrays, deadline):
            order.append(name)
            return arrays

        return run

    calls = [lambda k=k: batcher.run(k, noting(k), rows(1)) for k in ("b", "a", "c")]
    hold_first(batcher, model, calls)
    assert order == ["b", "a", "c"]
    assert is_idle(batcher)


def test_rows_that_ran_no_longer_wait(make_batcher):
    options = batching.BatchingOptions(num_batch_threads=1, max_enqueued_rows=2)
    batcher, model = make_batcher(options), Model()
    for _ in range(3):
        calls = [lambda v=v: batcher.run("k", model, rows(v)) for v in (1, 2)]
        results = hold_first(batcher, model, calls)
        assert [result[0].tolist() for result in results] == [[2.0], [3.0]]
    assert is_idle(batcher)


def test_a_run_has_until_its_latest_deadline_and_no_deadline_where_one_has_none(make_batcher):
    batcher, model = make_batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    near, far = time.monotonic() + 1000, time.monotonic() + 2000
    hold_first(
        batcher, model, [lambda d=d: batcher.run("k", model, rows(1), d) for d in (near, far, near)]
    )
    hold_first(
        batcher, model, [lambda d=d: batcher.run("k", model, rows(1), d) for d in (near, None)]
    )
    assert model.deadlines == [None, far, None, None]


def test_a_deadline_that_passes_in_the_queue_is_told_and_frees_its_rows(make_batcher):
    options = batching.BatchingOptions(num_batch_threads=1, max_enqueued_rows=1)
    batcher, model = make_batcher(options), Model()
    model.go.clear()
    first, _ = in_threads([lambda: batcher.run("k", model, rows(0))])
    assert model.started.wait(10)
    for _ in range(2):
        with pytest.raises(status.StatusError, match="timeout exceeded while waiting") as raised:
            batcher.run("k", model, rows(1), time.monotonic() - 1)
        assert raised.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    model.go.set()
    first[0].join(10)
    assert model.sizes == [1]
    assert is_idle(batcher)


def test_a_shared_run_that_took_too_long_is_not_run_again(make_batcher):
    batcher, model = make_batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    sizes = []

    def late(arrays, deadline):
        sizes.append(len(arrays[0]))
        raise status.StatusError(grpc.StatusCode.DEADLINE_EXCEEDED, "too late")

    results = hold_first(batcher, model, [lambda: batcher.run("j", late, rows(1))] * 3)
    assert [result.message for result in results] == ["too late"] * 3
    assert sizes == [3]
    assert is_idle(batcher)


def test_any_error_of_a_run_reaches_its_caller(make_batcher):
    def broken(arrays, deadline):
        raise ZeroDivisionError("by zero")

    batcher = make_batcher(batching.BatchingOptions())
    with pytest.raises(ZeroDivisionError, match="by zero"):
        batcher.run("k", broken, rows(1))
    assert is_idle(batcher)


def test_padding_repeats_the_first_row_in_each_input(make_batcher):
    options = batching.BatchingOptions(max_batch_size=8, allowed_batch_sizes=(2, 4, 8))
    seen = []

    def run(arrays, deadline):
        seen.append([array.tolist() for array in arrays])
        return list(arrays)

    batcher = make_batcher(options)
    inputs = [np.array([1, 2, 3]), np.array([[7, 8], [9, 10], [11, 12]])]
    first, second = batcher.run("k", run, inputs)
    assert seen == [[[1, 2, 3, 1], [[7, 8], [9, 10], [11, 12], [7, 8]]]]
    assert (first.tolist(), second.tolist()) == ([1, 2, 3], [[7, 8], [9, 10], [11, 12]])
    batcher.run("k", run, [np.array([1, 2])])
    assert seen[1] == [[1, 2]]


def test_what_has_no_rows_runs_alone_and_is_not_padded(make_batcher):
    options = batching.BatchingOptions(
        max_batch_size=2, allowed_batch_sizes=(2,), num_batch_threads=1
    )
    batcher, model = make_batcher(options), Model()
    calls = [lambda: batcher.run_alone(model, [np.float32([1, 2, 3])], None)] * 2
    results = hold_first(batcher, model, calls)
    assert [result[0].tolist() for result in results] == [[2.0, 3.0, 4.0]] * 2
    assert model.sizes == [2, 3, 3]


def test_where_nothing_is_shared_nothing_is_split(make_batcher):
    options = batching.BatchingOptions(max_batch_size=2, share=False, num_batch_threads=1)
    batcher, model = make_batcher(options), Model()
    deadline = time.monotonic() + 1000
    batcher.run("k", model, rows(1, 2, 3), deadline)
    hold_first(batcher, model, [lambda: batcher.run("k", model, rows(1))] * 2)
    assert model.sizes == [3, 1, 1, 1]
    assert model.deadlines == [deadline, None, None, None]


def test_a_part_of_a_long_request_keeps_its_deadline(make_batcher):
    batcher, model = make_batcher(batching.BatchingOptions(max_batch_size=2)), Model()
    deadline = time.monotonic() + 1000
    outputs = batcher.run("k", model, rows(1, 2, 3), deadline)
    assert [output.tolist() for output in outputs] == [[2.0, 3.0, 4.0]]
    assert model.deadlines == [deadline, deadline]


def test_places_bound_the_runs_of_all_keys(make_batcher):
    options = batching.BatchingOptions(num_batch_threads=2, runs_per_key=2)
    batcher, model = make_batcher(options), Model()
    model.go.clear()
    threads, _ = in_threads([lambda k=k: batcher.run(k, model, rows(1)) for k in ("a", "a", "b")])
    until(lambda: len(model.sizes) == 2 and queued(batcher) == 1)
    assert batcher._running == 2
    model.go.set()
    for thread in threads:
        thread.join(10)
    assert model.sizes == [1, 1, 1]
    assert is_idle(batcher)


def test_a_run_that_waits_to_fill_starts_by_itself_in_the_end(make_batcher):
    options = batching.BatchingOptions(
        max_batch_size=3, num_batch_threads=2, runs_per_key=2, batch_timeout_secs=0.2
    )
    batcher, model = make_batcher(options), Model()
    threads, results = in_threads([lambda v=v: batcher.run("k", model, rows(v)) for v in (1, 2)])
    for thread in threads:
        thread.join(10)
    assert [result[0].tolist() for result in results] == [[2.0], [3.0]]
    assert sum(model.sizes) == 2
    assert is_idle(batcher)


def test_the_last_part_of_a_long_request_is_padded_for_the_rows_that_it_has(make_batcher):
    options = batching.BatchingOptions(max_batch_size=8, allowed_batch_sizes=(2, 8))
    model = Model()
    (output,) = make_batcher(options).run("k", model, [np.arange(9, dtype=np.float32)])
    assert output.tolist() == [float(value + 1) for value in range(9)]
    assert model.sizes == [8, 2]


def test_who_was_answered_together_is_waited_for(make_batcher, monkeypatch):
    monkeypatch.setattr(batching, "REGATHER_SECS", 60.0)
    batcher, model = make_batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    calls = [lambda v=v: batcher.run("k", model, rows(v)) for v in (1, 2, 3)]
    hold_first(batcher, model, calls)
    threads, results = in_threads(calls[:2], batcher)
    time.sleep(0.05)
    assert model.sizes == [1, 3], "the first of them had a run of its own"
    more, more_results = in_threads(calls[2:])
    for thread in threads + more:
        thread.join(10)
    assert model.sizes == [1, 3, 3]
    assert [result[0].tolist() for result in results + more_results] == [[2.0], [3.0], [4.0]]


def test_it_waits_an_instant_only_and_for_another_key_not_at_all(make_batcher, monkeypatch):
    batcher, model = make_batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    hold_first(batcher, model, [lambda: batcher.run("k", model, rows(1, 2))])
    batcher.run("k", model, rows(1))
    monkeypatch.setattr(batching, "REGATHER_SECS", 60.0)
    batcher.run("k", model, rows(1))  # the run before it had one row
    batcher.run("k", model, rows(1, 2))
    batcher.run("other", model, rows(1))
    assert model.sizes == [1, 2, 1, 1, 2, 1]
    assert is_idle(batcher)


def test_threads_and_event_loops_share_runs(loop):
    batcher, model = batching.Batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    in_loop = InLoop(batcher, loop)
    calls = [lambda b=b, v=v: b.run("k", model, rows(v)) for v, b in ((1, batcher), (2, in_loop))]
    for order in (calls, calls[::-1]):
        results = hold_first(batcher, model, order)
        assert sorted(result[0][0] for result in results) == [2.0, 3.0]
    assert model.sizes == [1, 2, 1, 2]
    assert is_idle(batcher)


def test_a_caller_that_is_gone_or_whose_loop_is_closed_harms_nobody(loop):
    batcher, model = batching.Batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    model.go.clear()
    first, results = in_threads([lambda: batcher.run("k", model, rows(0))])
    assert model.started.wait(10)
    gone = asyncio.run_coroutine_threadsafe(batcher.run_in_loop("k", model, rows(5)), loop)
    until(lambda: queued(batcher) == 1)
    closed = asyncio.new_event_loop()
    left = closed.create_task(batcher.run_in_loop("k", model, rows(6)))
    closed.run_until_complete(asyncio.sleep(0))
    assert queued(batcher) == 2
    gone.cancel()
    left.cancel()
    closed.run_until_complete(asyncio.wait([left]))
    closed.close()
    until(lambda: queued(batcher) == 0)  # `gone` leaves it in a thread of its own
    second, more = in_threads([lambda: batcher.run("k", model, rows(1))], batcher)
    model.go.set()
    for thread in first + second:
        thread.join(10)
    assert [result[0].tolist() for result in results + more] == [[1.0], [2.0]]
    assert is_idle(batcher)


def test_a_caller_that_is_gone_leaves_the_queue(loop):
    batcher, model = batching.Batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    model.go.clear()
    first, _ = in_threads([lambda: batcher.run("k", model, rows(0))])
    assert model.started.wait(10)
    for deadline in (None, time.monotonic() + 60):
        gone = asyncio.run_coroutine_threadsafe(
            batcher.run_in_loop("k", model, rows(5), deadline), loop
        )
        until(lambda: queued(batcher) == 1)
        gone.cancel()
        until(lambda: queued(batcher) == 0)
    model.go.set()
    first[0].join(10)
    assert is_idle(batcher)
    assert model.sizes == [1]


def test_a_caller_that_is_gone_waits_for_the_run_that_it_leads(loop):
    batcher, model = batching.Batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    model.go.clear()
    ended = threading.Event()

    async def call():
        try:
            await batcher.run_in_loop("k", model, rows(1))
        finally:
            ended.set()

    gone = asyncio.run_coroutine_threadsafe(call(), loop)
    assert model.started.wait(10)
    gone.cancel()
    assert not ended.wait(0.2), "its version could be unloaded in the middle of the run"
    model.go.set()
    assert ended.wait(10)
    assert gone.cancelled()
    assert is_idle(batcher)
