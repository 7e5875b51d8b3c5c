"""The server as a whole, without its ports: what it does beside answering, and how it ends."""

import asyncio
import io
import logging
import os
import threading

import pytest

from emotion_faces.model_server import calls, core, flags, memory, metrics, server, status


@pytest.mark.parametrize("poll_secs", [-1, 0, 1000])
def test_memory_is_given_back_however_seldom_folders_are_looked_at(
    tmp_path, monkeypatch, poll_secs
):
    released = threading.Event()
    monkeypatch.setattr(memory.IDLE, "release", released.set)
    monkeypatch.setattr(server, "_IDLE_LOOK_SECS", 0.01)
    monkeypatch.setattr(core.ServerCore, "start", lambda *_: None)
    monkeypatch.setattr(server.ModelServer, "_start_grpc", lambda *_: None)
    options = flags.Options(
        port=0, model_base_path=str(tmp_path), file_system_poll_wait_seconds=poll_secs
    )
    model_server = server.ModelServer(options)
    model_server.start()
    try:
        assert released.wait(10)
    finally:
        model_server.stop()


class Full(io.StringIO):
    """A file on a full disk."""

    def flush(self):
        raise OSError(28, "No space left on device")


def test_the_end_comes_where_nothing_can_be_written(monkeypatch):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    monkeypatch.setattr("sys.stdout", Full())
    with pytest.raises(OSError, match="No space left"):  # in the process, nothing comes after _exit
        server._end()
    assert ended == [0]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (asyncio.CancelledError(), "CANCELLED"),
        (status.unavailable("full"), "UNAVAILABLE"),
        (ValueError(), "INTERNAL"),
    ],
)
def test_a_call_is_counted_by_what_came_of_it(error, code):
    recorder = metrics.Metrics()
    server_calls = calls.Calls(None, recorder, None)
    with pytest.raises(type(error)), server_calls.recorded("m", "Predict", "GRPC"):
        raise error
    assert f'request_count{{model_name="m",status="{code}"}} 1' in recorder.page()
