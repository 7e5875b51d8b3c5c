import threading
import time

import pytest

from emotion_faces.model_server import status, versions
from emotion_faces.model_server.versions import State
from emotion_faces.protos import get_model_status_pb2


class FakeServable:
    def __init__(self, version):
        self.version = version
        self.closed = False

    def close(self):
        self.closed = True


@pytest.fixture
def loads():
    """What was loaded; versions in `corrupt` fail, those in `slow` wait for `go`."""

    class Loads:
        def __init__(self):
            self.tried = []
            self.corrupt = set()
            self.slow = set()
            self.go = threading.Event()

        def __call__(self, version, path):
            self.tried.append(version)
            if version in self.slow:
                assert self.go.wait(10)
            if version in self.corrupt:
                raise status.invalid_argument(f"{path} is corrupt")
            return FakeServable(version)

    return Loads()


def make_versions(loads, max_retries=0, interval_secs=0.0):
    retries = versions.RetryPolicy(max_retries, interval_secs)
    return versions.ModelVersions("m", loads, retries, threading.Semaphore(2))


def wait_for(model, **states):
    wanted = {int(version[1:]): State[state] for version, state in states.items()}

    def reached(entries):
        found = {entry.version: entry.state for entry in entries}
        return all(found.get(version) is state for version, state in wanted.items())

    assert model.wait(reached, 10), model.statuses()


def test_new_version_before_the_old_goes(loads):
    model = make_versions(loads)
    model.aspire({1: "/1"})
    wait_for(model, v1="AVAILABLE")
    loads.slow.add(2)
    model.aspire({2: "/2"})
    wait_for(model, v1="AVAILABLE", v2="LOADING")
    loads.go.set()
    wait_for(model, v1="END", v2="AVAILABLE")
    assert [entry.version for entry in model.statuses()] == [2, 1]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_the_newest_of_several_answers_whichever_came_first(loads, order):
    model = make_versions(loads)
    aspired = {}
    for version in order:
        aspired[version] = f"/{version}"
        model.aspire(dict(aspired))
        wait_for(model, **{f"v{version}": "AVAILABLE"})
    with model.acquire(None) as newest, model.acquire(1) as first:
        assert (newest.version, first.version) == (2, 1)


def test_calls_under_way_end_on_the_old_version(loads):
    model = make_versions(loads)
    model.aspire({1: "/1"})
    wait_for(model, v1="AVAILABLE")
    with model.acquire(None) as held:
        model.aspire({2: "/2"})
        wait_for(model, v1="UNLOADING", v2="AVAILABLE")
        assert not held.closed
        with model.acquire(None) as newest, model.acquire(1) as old:
            assert newest.version == 2
            assert old is None
    wait_for(model, v1="END")
    assert held.closed


def test_a_version_that_is_wanted_again_while_it_goes_is_loaded_anew_once_it_is_gone(loads):
    model = make_versions(loads)
    model.aspire({1: "/1"})
    wait_for(model, v1="AVAILABLE")
    with model.acquire(1):
        model.aspire({2: "/2"})
        wait_for(model, v1="UNLOADING", v2="AVAILABLE")
        model.aspire({1: "/1", 2: "/2"})
    wait_for(model, v1="END", v2="AVAILABLE")
    model.aspire({1: "/1", 2: "/2"})
    wait_for(model, v1="AVAILABLE", v2="AVAILABLE")
    assert loads.tried == [1, 2, 1]


def test_corrupt_version_leaves_the_old_and_does_not_block_the_next(loads):
    model = make_versions(loads, max_retries=5, interval_secs=60.0)
    loads.corrupt.add(2)
    model.aspire({1: "/1"})
    wait_for(model, v1="AVAILABLE")
    model.aspire({2: "/2"})
    wait_for(model, v1="AVAILABLE", v2="LOADING")
    model.aspire({3: "/3"})
    wait_for(model, v1="END", v2="END", v3="AVAILABLE")
    assert model.statuses()[1].error.message == "/2 is corrupt"


def test_states_have_the_protocol_s_names_and_numbers():
    states = get_model_status_pb2.ModelVersionStatus.State
    assert {state.name: state.value for state in State} == {
        name: number for name, number in states.items() if name != "UNKNOWN"
    }


def test_a_version_that_is_to_be_tried_again_tells_no_error_yet(loads):
    tried_again = threading.Event()

    def load(version, path):
        if not loads.tried:
            loads.corrupt.add(version)
        else:
            loads.corrupt.clear()
            loads.slow.add(version)
            tried_again.set()
        return loads(version, path)

    model = versions.ModelVersions("m", load, versions.RetryPolicy(1, 0.0), threading.Semaphore(2))
    model.aspire({1: "/1"})
    assert tried_again.wait(10)
    assert model.statuses() == [versions.VersionStatus(1, State.LOADING, None)]
    loads.go.set()
    wait_for(model, v1="AVAILABLE")


def test_failed_version_is_tried_again_only_after_it_was_gone(loads):
    model = make_versions(loads, max_retries=2)
    loads.corrupt.add(1)
    model.aspire({1: "/1"})
    wait_for(model, v1="END")
    assert loads.tried == [1, 1, 1]
    loads.corrupt.clear()
    model.aspire({1: "/1"})
    assert loads.tried == [1, 1, 1]
    model.aspire({})
    model.aspire({1: "/1"})
    wait_for(model, v1="AVAILABLE")


def test_a_backlog_is_not_loaded_and_two_versions_at_most_are_held(loads):
    model = make_versions(loads)
    held, most = set(), []

    def load(version, path):
        loaded = loads(version, path)
        held.add(version)
        most.append(set(held))
        loaded.close = lambda: held.discard(version)
        return loaded

    model = versions.ModelVersions("m", load, versions.RetryPolicy(0, 0.0), threading.Semaphore(2))
    model.aspire({1: "/1"})
    wait_for(model, v1="AVAILABLE")
    loads.slow.add(2)
    model.aspire({2: "/2"})
    wait_for(model, v2="LOADING")
    for version in range(3, 10):
        model.aspire({version: "/"})
    wait_for(model, v2="LOADING", v9="START", v8="END", v1="AVAILABLE")
    loads.go.set()
    wait_for(model, v1="END", v2="END", v9="AVAILABLE")
    assert loads.tried == [1, 2, 9]  # what nobody asked for any more was never loaded
    assert max(map(len, most)) == 2
    assert held == {9}


def test_a_superseded_load_that_ends_takes_over_until_the_newest_is_there(loads):
    model = make_versions(loads)
    model.aspire({1: "/1"})
    wait_for(model, v1="AVAILABLE")
    loads.slow.update({2, 3})
    model.aspire({2: "/2"})
    wait_for(model, v2="LOADING")
    model.aspire({3: "/3"})
    loads.slow.remove(3)
    loads.corrupt.add(3)
    loads.go.set()
    wait_for(model, v1="END", v2="AVAILABLE", v3="END")  # progress, however fast the pushes come
    with model.acquire(None) as held:
        assert held.version == 2


def test_the_newest_is_loaded_first_and_one_at_a_time(loads):
    model = make_versions(loads)
    loads.slow.add(3)
    model.aspire({1: "/1", 2: "/2", 3: "/3"})
    wait_for(model, v1="START", v2="START", v3="LOADING")
    loads.go.set()
    wait_for(model, v1="AVAILABLE", v2="AVAILABLE", v3="AVAILABLE")
    assert loads.tried == [3, 2, 1]


def test_loads_of_all_models_share_the_slots(loads):
    slots = threading.Semaphore(1)
    models = [
        versions.ModelVersions(name, loads, versions.RetryPolicy(0, 0.0), slots) for name in "ab"
    ]
    loads.slow.add(1)
    for model in models:
        model.aspire({1: "/1"})
    states = {model.statuses()[0].state for model in models}
    assert State.AVAILABLE not in states
    assert len(loads.tried) <= 1
    loads.go.set()
    for model in models:
        wait_for(model, v1="AVAILABLE")


def test_a_retry_that_is_dropped_while_it_waits_for_its_turn_ends(loads):
    model = make_versions(loads, max_retries=5)
    loads.corrupt.add(1)
    loads.slow.add(2)
    model.aspire({1: "/1", 2: "/2"})
    wait_for(model, v2="LOADING")
    model.aspire({2: "/2"})
    loads.go.set()
    wait_for(model, v1="END", v2="AVAILABLE")


def test_a_load_waits_for_the_memory_of_an_old_version(loads, monkeypatch):
    monkeypatch.setattr(versions, "LONGEST_UNLOAD_SECS", 0.5)
    model = make_versions(loads)
    model.aspire({1: "/1"})
    wait_for(model, v1="AVAILABLE")
    with model.acquire(1):
        model.aspire({2: "/2"})
        wait_for(model, v1="UNLOADING", v2="AVAILABLE")
        model.aspire({3: "/3"})
        wait_for(model, v3="START")
        assert loads.tried == [1, 2]
        wait_for(model, v1="UNLOADING", v3="AVAILABLE")  # a call that hangs does not stop updates


def test_no_version_aspired_unloads_all(loads):
    model = make_versions(loads)
    model.aspire({1: "/1", 2: "/2"})
    wait_for(model, v1="AVAILABLE", v2="AVAILABLE")
    model.aspire({})
    wait_for(model, v1="END", v2="END")
    with model.acquire(None) as held:
        assert held is None


def test_waiting_for_several_models_ends_with_the_time_given(loads):
    loads.slow.add(2)
    there, coming = make_versions(loads), make_versions(loads)
    there.aspire({1: "/1"})
    coming.aspire({2: "/2"})

    def is_there(entries):
        return any(entry.state is State.AVAILABLE for entry in entries)

    start = time.monotonic()
    assert versions.wait_all({"there": there}, is_there, 10)
    assert not versions.wait_all({"there": there, "coming": coming}, is_there, 0.2)
    assert 0.2 <= time.monotonic() - start < 5
    threading.Timer(0.1, loads.go.set).start()
    assert versions.wait_all({"there": there, "coming": coming}, is_there, 10)
