"""The life of one model's versions: loaded aside, swapped in, drained, unloaded.

A version is aspired while its source wants it served. A thread of the model's own loads one version
after the other, the newest first, so that neither requests nor other models wait for it, and what is
no longer aspired when its turn comes is never loaded. A failed load waits for its next try without
holding the others up (Deviation: TensorFlow Serving loads in the thread that manages all models,
where a corrupt version with its retries holds up every later good one). An old version is unloaded
as soon as an aspired or a newer one is available, and after its last request ended; the next load
waits for that, so that two versions at most are in memory, beside those that a policy asks for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from emotion_faces.model_server import memory, servable, status

LoadFn = Callable[[int, str], servable.Servable]

LONGEST_UNLOAD_SECS = 10.0
"""A load waits for no longer than this for calls that hold an old version in memory."""

_log = logging.getLogger(__name__)


class State(enum.IntEnum):
    """States by the names and numbers of ModelVersionStatus."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """How often a failed load is tried again, and how long after."""

    max_retries: int
    interval_secs: float


@dataclasses.dataclass
class _Record:
    """A version's state; every field changes under the owner's lock.

    `due`: its load may be tried now; else it is loaded, has ended, or waits for its next try.
    """

    version: int
    path: str
    state: State = State.START
    error: status.StatusError | None = None
    servable: servable.Servable | None = None
    in_flight: int = 0
    aspired: bool = True
    due: bool = True
    tries: int = 0


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """A version's state and, where its load failed, the error."""

    version: int
    state: State
    error: status.StatusError | None


class ModelVersions:
    """The versions of one model; safe from any thread.

    Args:
      name: The model's name.
      load: Loads a version from a folder; raises StatusError where it can't.
      retries: Of failed loads.
      load_slots: Bounds the loads that run at a time, over all models.
    """

    def __init__(
        self, name: str, load: LoadFn, retries: RetryPolicy, load_slots: threading.Semaphore
    ):
        self.name = name
        self._load = load
        self._retries = retries
        self._load_slots = load_slots
        self._changed = threading.Condition()
        self._records: dict[int, _Record] = {}
        self._loader_runs = False

    def aspire(self, paths: Mapping[int, str]) -> None:
        """States which versions are to be served, by number, each with its folder."""
        with self._changed:
            for record in self._records.values():
                # What has ended or is about to stays so until its source has dropped it once.
                if record.aspired or record.state < State.UNLOADING:
                    record.aspired = record.version in paths
            for version, path in paths.items():
                known = self._records.get(version)
                if known is None or (known.state is State.END and not known.aspired):
                    self._records[version] = _Record(version, path)
            self._step()

    def statuses(self) -> list[VersionStatus]:
        """Every version ever aspired, the newest first."""
        with self._changed:
            return [
                VersionStatus(
                    record.version,
                    record.state,
                    record.error if record.state is State.END else None,
                )
                for record in sorted(self._records.values(), key=lambda r: -r.version)
            ]

    def available(self) -> list[int]:
        """Versions that serve, the newest first."""
        return [entry.version for entry in self.statuses() if entry.state is State.AVAILABLE]

    @contextlib.contextmanager
    def acquire(self, version: int | None) -> Iterator[servable.Servable | None]:
        """Holds a version (None: the newest) from unloading; gives None where it doesn't serve."""
        with self._changed:
            record = self._serving(version)
            if record is not None:
                record.in_flight += 1
        if record is None:
            yield None
            return
        try:
            yield record.servable
        finally:
            with self._changed:
                record.in_flight -= 1
                if record.state is State.UNLOADING and not record.in_flight:
                    self._changed.notify_all()

    def wait(self, until: Callable[[list[VersionStatus]], bool], timeout_secs: float) -> bool:
        """Waits until the statuses are as wanted; False where they are not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: until(self.statuses()), timeout_secs)

    def _serving(self, version: int | None) -> _Record | None:
        if version is None:
            serving = [r for r in self._records.values() if r.state is State.AVAILABLE]
            return max(serving, key=lambda r: r.version, default=None)
        record = self._records.get(version)
        return record if record is not None and record.state is State.AVAILABLE else None

    def _step(self) -> None:
        """Starts the loads and unloads that are due; the lock is held."""
        records = sorted(self._records.values(), key=lambda r: -r.version)
        aspired = [r for r in records if r.aspired]
        may_unload = not aspired or any(r.state is State.AVAILABLE for r in aspired)
        for record in records:
            if record.due and not record.aspired:
                record.due = False
                self._set(record, State.END)
            elif record.state is State.AVAILABLE:
                if may_unload and not record.aspired:
                    self._set(record, State.UNLOADING)
                    self._spawn(self._unload_record, record)
                may_unload = True  # for what is older than this one
        if not self._loader_runs and self._next_to_load() is not None:
            self._loader_runs = True
            threading.Thread(target=self._load_all, name=f"load-{self.name}", daemon=True).start()
        self._changed.notify_all()

    def _next_to_load(self) -> _Record | None:
        due = [record for record in self._records.values() if record.due and record.aspired]
        return max(due, key=lambda record: record.version, default=None)

    def _spawn(self, work: Callable[[_Record], None], record: _Record) -> None:
        name = f"{work.__name__}-{self.name}-{record.version}"
        threading.Thread(target=work, args=(record,), name=name, daemon=True).start()

    def _set(self, record: _Record, state: State) -> None:
        record.state = state
        _log.info("model %s version %d is %s", self.name, record.version, state.name)

    def _load_all(self) -> None:
        """Loads what is due, one version after the other, until nothing is."""
        while True:
            with self._changed:
                self._changed.wait_for(self._nothing_unloads, LONGEST_UNLOAD_SECS)
            with self._load_slots:
                with self._changed:
                    record = self._next_to_load()  # the newest now, and not as the wait began
                    if record is None:
                        self._loader_runs = False
                        return
                    record.due = False
                    record.tries += 1
                    if record.state is not State.LOADING:
                        self._set(record, State.LOADING)
                    self._changed.notify_all()
                self._load_record(record)

    def _nothing_unloads(self) -> bool:
        return all(record.state is not State.UNLOADING for record in self._records.values())

    def _load_record(self, record: _Record) -> None:
        try:
            loaded = self._load(record.version, record.path)
        except Exception as problem:  # a load may fail in any way; it must not end unseen
            error = status.from_tensorflow(problem)
        else:
            with self._changed:
                record.servable, record.error = loaded, None
                self._set(record, State.AVAILABLE)
                self._step()
            return
        _log.error("model %s version %d failed to load: %s", self.name, record.version, error)
        with self._changed:
            record.error = error
            if record.aspired and record.tries <= self._retries.max_retries:
                self._spawn(self._wait_for_next_try, record)
            else:
                self._set(record, State.END)
                self._step()

    def _wait_for_next_try(self, record: _Record) -> None:
        with self._changed:
            given_up = self._changed.wait_for(
                lambda: not record.aspired, self._retries.interval_secs
            )
            if given_up:
                self._set(record, State.END)
            else:
                record.due = True
            self._step()

    def _unload_record(self, record: _Record) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not record.in_flight)
            loaded, record.servable = record.servable, None
        assert loaded is not None
        loaded.close()
        # Freed here and not as this thread ends: after END the process may be ending too, and
        # TensorFlow aborts it where a thread of Python is stopped within its code.
        del loaded
        memory.release()
        with self._changed:
            self._set(record, State.END)
            self._step()


def wait_all(
    models: Mapping[str, ModelVersions],
    until: Callable[[list[VersionStatus]], bool],
    timeout_secs: float,
) -> bool:
    """Waits until each model's statuses are as wanted; False where one's are not in time."""
    give_up_at = time.monotonic() + timeout_secs
    return all(
        versions.wait(until, max(0.0, give_up_at - time.monotonic()))
        for versions in models.values()
    )
