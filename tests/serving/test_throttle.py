import pytest

from emotion_faces import throttle


@pytest.mark.parametrize(("at_once", "ready"), [(False, [0, 0, 1, 0, 1]), (True, [1, 0, 1, 0, 1])])
def test_lets_one_through_in_so_many_seconds(monkeypatch, at_once, ready):
    clock = iter([0.0, 0.0, 9.9, 10.0, 19.9, 20.0])
    monkeypatch.setattr(throttle.time, "monotonic", lambda: next(clock))
    one = throttle.Throttle(10.0, at_once)
    assert [one.ready() for _ in ready] == [bool(answer) for answer in ready]
