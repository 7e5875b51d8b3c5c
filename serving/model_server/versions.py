"""The life of one model's versions: loaded aside, swapped in, drained, unloaded.

A version is aspired while its source wants it served. A new version is loaded, with retries, by a
thread of its own, so that neither requests nor other versions wait for it (Deviation: TensorFlow
Serving loads in the thread that manages all models, where a corrupt version with its retries holds
up every later good one). An old version is unloaded only once an aspired one is available, and
after its last request ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from emotion_faces.model_server import servable, status

LoadFn = Callable[[int, str], servable.Servable]

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

    max_retries: int = 5
    interval_secs: float = 60.0


@dataclasses.dataclass
class _Record:
    """A version's state; all fields but `servable` change under the owner's lock."""

    version: int
    path: str
    state: State = State.START
    error: status.StatusError | None = None
    servable: servable.Servable | None = None
    in_flight: int = 0
    aspired: bool = True


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """A version's state and, where its load failed, the error."""

    version: int
    state: State
    error: status.StatusError | None


class ModelVersions:
    """The versions of one model; safe from any thread.

    Args:
      name: the model's name.
      load: loads a version from a folder; raises StatusError where it can't.
      retries: of failed loads.
      load_slots: bounds the loads that run at a time, over all models.
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
                VersionStatus(record.version, record.state, record.error)
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
            if record.state is State.START:
                self._start(record)
            elif record.state is State.AVAILABLE and not record.aspired and may_unload:
                self._set(record, State.UNLOADING)
                self._spawn(self._unload_record, record)
        self._changed.notify_all()

    def _start(self, record: _Record) -> None:
        if record.aspired:
            self._set(record, State.LOADING)
            self._spawn(self._load_record, record)
        else:
            self._set(record, State.END)

    def _spawn(self, work: Callable[[_Record], None], record: _Record) -> None:
        name = f"{work.__name__}-{self.name}-{record.version}"
        threading.Thread(target=work, args=(record,), name=name, daemon=True).start()

    def _set(self, record: _Record, state: State) -> None:
        record.state = state
        _log.info("model %s version %d is %s", self.name, record.version, state.name)

    def _load_record(self, record: _Record) -> None:
        loaded, error = self._load_with_retries(record)
        with self._changed:
            record.servable, record.error = loaded, error
            self._set(record, State.AVAILABLE if loaded else State.END)
            self._step()

    def _load_with_retries(
        self, record: _Record
    ) -> tuple[servable.Servable | None, status.StatusError | None]:
        for attempt in range(self._retries.max_retries + 1):
            try:
                with self._load_slots:
                    return self._load(record.version, record.path), None
            except Exception as problem:  # a load may fail in any way; it must not end unseen
                error = status.from_tensorflow(problem)
            _log.error("model %s version %d failed to load: %s", self.name, record.version, error)
            if attempt == self._retries.max_retries or not self._sleep_while_aspired(record):
                break
        return None, error

    def _sleep_while_aspired(self, record: _Record) -> bool:
        with self._changed:
            return not self._changed.wait_for(
                lambda: not record.aspired, self._retries.interval_secs
            )

    def _unload_record(self, record: _Record) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not record.in_flight)
            loaded, record.servable = record.servable, None
        assert loaded is not None
        loaded.close()
        # Freed here and not as this thread ends: after END the process may be ending too, and
        # TensorFlow aborts it where a thread of Python is stopped within its code.
        del loaded
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
