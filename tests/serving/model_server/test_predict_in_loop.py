"""A Predict call of an event loop whose run fails, and whose caller goes while it is found out why."""

import asyncio
import contextlib
import threading

import pytest

from emotion_faces.model_server import predict, status


def test_a_caller_that_is_gone_holds_its_version_while_the_picture_is_named(monkeypatch):
    runs, go = threading.Event(), threading.Event()
    monkeypatch.setattr(predict.inputs, "check_arrays", lambda *_: None)

    class Model:
        async def run_in_loop(self, *_):
            raise status.invalid_argument("no picture")

    def named(*_):
        runs.set()
        assert go.wait(10)
        return status.invalid_argument("the second one is none")

    monkeypatch.setattr(predict, "_named", named)

    async def test():
        call = asyncio.ensure_future(predict.run_in_loop(Model(), None, {}, None, None))
        await asyncio.to_thread(runs.wait, 10)
        call.cancel()
        done, _ = await asyncio.wait([call], timeout=0.2)
        assert not done, "its version could be unloaded while a thread runs it"
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await call

    with contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.run_until_complete(test())
