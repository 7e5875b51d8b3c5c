"""Swaps model versions while clients call as fast as they can, and watches what grows.

`python -m benchmarks.serving.soak --minutes 10` starts the server (SERVING_COMMAND replaces the
command), pushes a version every few seconds, a corrupt one now and then, and prints failed calls,
wrong answers, memory and threads. A failed call, a stale answer, or memory that grew, is status 1.
The conformance suite runs the same code for twenty pushes.
"""

import argparse
import collections
import dataclasses
import itertools
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time

import grpc
import numpy as np
import psutil

from tests.serving.conformance import fixture_models, harness

MIB = 1 << 20
MOST_GROWTH = 1.1
"""Memory at the end, in that after the first tenth of the run; more is a failure."""


@dataclasses.dataclass
class Swap:
    """What happened while versions were swapped; times are of `time.monotonic`, in seconds."""

    calls: int = 0
    failures: list[str] = dataclasses.field(default_factory=list)
    pushed: dict[int, float] = dataclasses.field(default_factory=dict)
    available: dict[int, float] = dataclasses.field(default_factory=dict)
    ended: dict[int, float] = dataclasses.field(default_factory=dict)
    corrupt: set[int] = dataclasses.field(default_factory=set)
    answers: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    spans: dict[int, list[float]] = dataclasses.field(default_factory=dict)

    def stale(self) -> list[str]:
        """Versions that answered a call before they were pushed, or one begun after their end."""
        found = []
        for version, (first_end, last_start) in self.spans.items():
            if first_end < self.pushed[version]:
                found.append(f"version {version} answered before it was pushed")
            if last_start > self.ended.get(version, float("inf")):
                found.append(f"version {version} answered a call begun after it was unloaded")
        return found


def swap_under_load(
    server: harness.Server, model: str, base_path: pathlib.Path, pushes, clients: int
) -> Swap:
    """Pushes (version, corrupt) pairs one after the other while `clients` threads call.

    The model must serve a `half_plus_version` version already, under the policy `latest 1`.
    Every fourth client calls over REST. An iterator that waits between pairs sets the pace.
    """
    swap = Swap(pushed=dict.fromkeys(server.status(model), 0.0))
    stop, lock = threading.Event(), threading.Lock()
    threads = [
        threading.Thread(target=_call, args=(server, model, i % 4 == 3, swap, lock, stop))
        for i in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        for version, is_corrupt in pushes:
            write = fixture_models.write_corrupt if is_corrupt else _write_version
            swap.pushed[version] = time.monotonic()
            write(base_path, version)
            if is_corrupt:
                swap.corrupt.add(version)
                server.wait_for(model, version, "END", timeout=60)
                continue
            server.wait_for(model, version, "AVAILABLE", timeout=60)
            swap.available[version] = time.monotonic()
            for old, status in server.status(model).items():
                if status.state == harness.State.END:
                    swap.ended.setdefault(old, time.monotonic())
        give_up_at = time.monotonic() + 60
        while swap.available.keys() - swap.answers.keys() and time.monotonic() < give_up_at:
            time.sleep(0.01)  # the last one may not have had a call yet
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return swap


def _write_version(base_path, version: int) -> None:
    fixture_models.write_half_plus_version(base_path, version)


def _call(server, model, over_rest, swap, lock, stop) -> None:
    request = fixture_models.predict_request(model, x=np.float32([2]))
    with harness.insecure_channel(f"{server.host}:{server.grpc_port}") as channel:
        predict = type(server.predictions)(channel).Predict
        while not stop.is_set():
            started, version, failure = time.monotonic(), None, None
            try:
                if over_rest:
                    answer = server.rest(f"/v1/models/{model}:predict", {"instances": [2.0]})
                    version = round(answer.json()["predictions"][0] - 1)
                else:
                    answer = predict(request, timeout=30)
                    version = answer.model_spec.version.value
                    if answer.outputs["y"].float_val != [1 + version]:
                        failure = f"version {version} answered {answer.outputs['y'].float_val}"
            except (grpc.RpcError, OSError, KeyError) as error:
                failure = repr(error)
            ended = time.monotonic()
            with lock:
                swap.calls += 1
                if failure:
                    swap.failures.append(failure)
                    continue
                swap.answers[version] += 1
                span = swap.spans.setdefault(version, [ended, started])
                span[0], span[1] = min(span[0], ended), max(span[1], started)


def peak(process: psutil.Process) -> int:
    """Returns the most bytes that were resident since reset_peak()."""
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) * 1024


def reset_peak(process: psutil.Process) -> None:
    """Has the kernel count the peak from now on."""
    pathlib.Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def _paced(minutes: float, every_secs: float, samples: list, process: psutil.Process):
    """Yields versions (each tenth corrupt) at a pace, and samples memory and threads meanwhile."""
    end = time.monotonic() + minutes * 60
    for version in itertools.count(2):
        samples.append((time.monotonic(), process.memory_info().rss, process.num_threads()))
        if time.monotonic() > end:
            return
        yield version, version % 10 == 0
        time.sleep(every_secs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--push_every_secs", type=float, default=4)
    options = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="serving-soak-"))
    base_path = directory / "models" / "m"
    _write_version(base_path, 1)
    samples: list[tuple[float, int, int]] = []
    flags = ("--model_name=m", f"--model_base_path={base_path}", "--max_num_load_retries=0")
    try:
        with harness.running(directory / "log", *flags) as server:
            process = psutil.Process(server.process.pid)
            pushes = _paced(options.minutes, options.push_every_secs, samples, process)
            swap = swap_under_load(server, "m", base_path, pushes, options.clients)
            time.sleep(5)
            samples.append((time.monotonic(), process.memory_info().rss, process.num_threads()))
    finally:
        if os.environ.get("KEEP_LOGS") is None:
            shutil.rmtree(directory)
    grown = _report(swap, samples)
    return 1 if swap.failures or swap.stale() or grown > MOST_GROWTH else 0


def _report(swap: Swap, samples) -> float:
    """Prints what happened; returns how memory grew."""
    print(f"calls {swap.calls}, failed {len(swap.failures)}, from a version not live: ", end="")
    print(f"{len(swap.stale())}; pushes {len(swap.pushed) - 1}, of them corrupt: ", end="")
    print(len(swap.corrupt))
    for failure in swap.failures[:5]:
        print(f"  {failure}")
    start = samples[0][0]
    print("minute    RSS MiB  threads")
    step = max(1, len(samples) // 12)
    for at, rss, threads in [*samples[:-1][::step], samples[-1]]:
        print(f"{(at - start) / 60:6.1f} {rss / MIB:10.0f} {threads:8d}")
    # The first tenth is warm-up: allocators and caches fill.
    settled = samples[len(samples) // 10]
    ratio = samples[-1][1] / settled[1]
    print(f"memory at the end / after the first tenth: {ratio:.3f}; ", end="")
    print(f"threads {settled[2]} -> {samples[-1][2]}")
    if ratio > MOST_GROWTH:
        print(f"memory grew beyond {MOST_GROWTH}: failed")
    return ratio


if __name__ == "__main__":
    sys.exit(main())
