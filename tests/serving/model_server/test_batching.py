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

    def __call__(self, arrays, deadline):
        self.sizes.append(len(arrays[0]))
        self.started.set()
        assert self.go.wait(10)
        if (arrays[0] < 0).any():
            raise status.invalid_argument("negative")
        return [arrays[0] + 1]


def in_threads(calls):
    """Runs calls at the same time; their results or errors, in order."""
    results = [None] * len(calls)

    def run(index, call):
        try:
            results[index] = call()
        except status.StatusError as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
        time.sleep(0.02)  # so that they queue in this order
    return threads, results


def rows(*values):
    return [np.array(values, np.float32)]


def hold_first(batcher, model, calls):
    """Starts a run that holds the only place, queues `calls`, and lets go."""
    model.go.clear()
    first, _ = in_threads([lambda: batcher.run("k", model, rows(0))])
    assert model.started.wait(10)
    threads, results = in_threads(calls)
    model.go.set()
    for thread in first + threads:
        thread.join(10)
    return results


def test_takes_what_waits():
    batcher, model = batching.Batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    calls = [lambda v=v: batcher.run("k", model, rows(v)) for v in (1, 2, 3)]
    results = hold_first(batcher, model, calls)
    assert [result[0].tolist() for result in results] == [[2.0], [3.0], [4.0]]
    assert model.sizes == [1, 3]


def test_other_keys_run_apart():
    batcher, model = batching.Batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    calls = [lambda k=k: batcher.run(k, model, rows(1)) for k in ("a", "b", "a")]
    hold_first(batcher, model, calls)
    assert sorted(model.sizes) == [1, 1, 2]


def test_runs_of_one_key_take_turns_and_hold_up_no_other():
    options = batching.BatchingOptions(num_batch_threads=2, runs_per_key=1)
    batcher, slow, quick = batching.Batcher(options), Model(), Model()
    slow.go.clear()
    threads, results = in_threads([lambda v=v: batcher.run("k", slow, rows(v)) for v in (1, 2, 3)])
    assert batcher.run("other", quick, rows(7))[0].tolist() == [8.0]
    assert slow.sizes == [1]
    slow.go.set()
    for thread in threads:
        thread.join(10)
    assert [result[0].tolist() for result in results] == [[2.0], [3.0], [4.0]]
    assert slow.sizes == [1, 2]


def test_a_bad_request_harms_only_itself():
    batcher, model = batching.Batcher(batching.BatchingOptions(num_batch_threads=1)), Model()
    calls = [lambda v=v: batcher.run("k", model, rows(v)) for v in (1, -1, 3)]
    good, bad, also_good = hold_first(batcher, model, calls)
    assert (good[0].tolist(), also_good[0].tolist()) == ([2.0], [4.0])
    assert bad.message == "negative"


def test_a_long_request_goes_in_parts():
    batcher, model = batching.Batcher(batching.BatchingOptions(max_batch_size=4)), Model()
    (output,) = batcher.run("k", model, [np.arange(10, dtype=np.float32)])
    assert output.tolist() == [float(v + 1) for v in range(10)]
    assert model.sizes == [4, 4, 2]


def test_a_long_request_is_refused_where_it_may_not_be_split():
    options = batching.BatchingOptions(max_batch_size=4, split_large_batches=False)
    with pytest.raises(
        status.StatusError, match="Task size 5 is larger than maximum input batch size 4"
    ):
        batching.Batcher(options).run("k", Model(), [np.zeros(5)])


def test_padding_rows_are_never_returned():
    options = batching.BatchingOptions(max_batch_size=8, allowed_batch_sizes=(4, 8))
    model = Model()
    (output,) = batching.Batcher(options).run("k", model, rows(1, 2, 3))
    assert output.tolist() == [2.0, 3.0, 4.0]
    assert model.sizes == [4]


def test_full_queue():
    options = batching.BatchingOptions(num_batch_threads=1, max_enqueued_rows=2)
    batcher, model = batching.Batcher(options), Model()
    calls = [lambda v=v: batcher.run("k", model, rows(v)) for v in (1, 2, 3)]
    results = hold_first(batcher, model, calls)
    assert results[2].code is grpc.StatusCode.UNAVAILABLE
    assert [result[0].tolist() for result in results[:2]] == [[2.0], [3.0]]


def test_deadline_while_queued():
    options = batching.BatchingOptions(num_batch_threads=1, split_large_batches=False)
    batcher, model = batching.Batcher(options), Model()
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


def test_waits_for_a_full_batch_and_no_longer():
    options = batching.BatchingOptions(
        max_batch_size=2, num_batch_threads=1, batch_timeout_secs=5.0
    )
    batcher, model = batching.Batcher(options), Model()
    started = time.monotonic()
    threads, results = in_threads([lambda v=v: batcher.run("k", model, rows(v)) for v in (1, 2)])
    for thread in threads:
        thread.join(10)
    assert time.monotonic() - started < 4
    assert model.sizes == [2]
    assert [result[0].tolist() for result in results] == [[2.0], [3.0]]


def test_many_at_once_each_get_their_own():
    batcher, model = batching.Batcher(batching.BatchingOptions(max_batch_size=5)), Model()
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
