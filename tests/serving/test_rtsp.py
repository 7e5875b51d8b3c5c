"""Streams of RTSP, from a server that refuses, is silent, breaks off and ends."""

import base64
import contextlib
import dataclasses
import re
import socket

import numpy as np
import pytest

from emotion_faces.annotate import run
from emotion_faces.errors import UserError
from tests.serving.fakes import BrightnessClassifier
from tests.serving.films import write_film
from tests.serving.rtsp_server import serving
from tests.serving.test_urls import HERE, frames_of, settings

FRAMES = 79
"""Of the film's 80, at ten a second: the last one of a transport stream is whole when another begins."""


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture
def film(tmp_path, astronaut):
    """Eight seconds: libav looks at five before it gives the first."""
    path = tmp_path / "film.ts"
    write_film(path, [np.ascontiguousarray(astronaut[::2, ::2])] * 80)
    return path.read_bytes()


@pytest.fixture
def annotated(tmp_path, monkeypatch):
    """Annotates a URL; gives up after three silent seconds."""
    monkeypatch.setattr(
        run.local_server,
        "connect",
        lambda *args, **options: contextlib.nullcontext(BrightnessClassifier()),
    )
    brief = dataclasses.replace(settings(), urls=dataclasses.replace(HERE, stall_secs=3))
    return lambda url: run.annotate([url], tmp_path / "out", settings=brief)


def test_it_needs_private_urls(tmp_path):
    public = dataclasses.replace(settings(), urls=dataclasses.replace(HERE, private=False))
    with pytest.raises(UserError, match="it takes --allow-private-urls too"):
        run.annotate(["rtsp://93.184.216.34/"], tmp_path / "out", settings=public)


def test_a_film_that_ends_when_it_says(server, film, annotated, tmp_path, capsys):
    server.film, server.stated_secs = film, 8.0
    done = annotated(server.url())
    assert (done.exit_status, done.films, done.frames) == (0, 1, FRAMES)
    assert frames_of(tmp_path / "out" / "live.mp4") == (FRAMES, [])
    assert "ended it" not in capsys.readouterr().err


def test_a_film_that_breaks_off_is_told_with_both_times(server, film, annotated, tmp_path):
    server.film, server.stated_secs = film, 20.0
    done = annotated(server.url())
    assert done.exit_status == 1
    [(name, reason)] = done.failures
    assert name == server.url()
    assert re.fullmatch(
        r"it ends after [78]\.\d of the 20\.0 s that it states: the copy holds the rest", reason
    )
    assert frames_of(tmp_path / "out" / "live.mp4") == (FRAMES, [])


def test_a_stream_without_a_length_may_end_at_any_time_and_that_is_told(
    server, film, annotated, capsys
):
    server.film = film
    done = annotated(server.url())
    assert (done.exit_status, done.failures, done.frames) == (0, [], FRAMES)
    assert f"{server.url()}: its server ended it after 7." in capsys.readouterr().err


def test_a_stream_that_stalls_is_named_and_its_copy_whole(server, film, annotated, tmp_path):
    server.film, server.hangs = film, True
    done = annotated(server.url())
    assert (done.exit_status, done.films) == (1, 0)
    assert done.failures == [(server.url(), "the stream stalled: nothing came for 3 s")]
    frames, damage = frames_of(tmp_path / "out" / "live.mp4")
    assert 0 < frames <= FRAMES
    assert damage == []


def reason_of(done) -> str:
    assert (done.exit_status, done.frames) == (1, 0)
    [(name, reason)] = done.failures
    assert "secret" not in name + reason
    return reason.removeprefix(f"{name}")


def test_a_server_that_is_silent_is_given_up(server, annotated):
    server.is_silent = True
    reason = reason_of(annotated(server.url(user="me:secret@")))
    assert reason == ": the server does not answer: nothing came for 3 s"


def test_where_nobody_listens_nothing_answers(annotated):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    reason = reason_of(annotated(f"rtsp://127.0.0.1:{port}/x"))
    assert reason == f": nothing answers at 127.0.0.1, port {port} (Connection refused)"


def test_a_path_that_the_server_does_not_know(server, annotated):
    server.status = "404 Not Found"
    assert reason_of(annotated(server.url("nowhere"))) == ": its server has no such stream (404)"


@pytest.mark.parametrize(("user", "told"), [("", "wants a"), ("me:secret@", "does not take that")])
def test_a_password_that_is_missing_or_wrong(server, annotated, user, told):
    server.status = "401 Unauthorized"
    reason = reason_of(annotated(server.url(user=user)))
    assert reason.startswith(f" {told} user and password, which are given as rtsp://USER:")
    given = [headers.get("Authorization") for _, headers in server.asked]
    if user:
        assert given[-1] == "Basic " + base64.b64encode(b"me:secret").decode()
    else:
        assert not any(given)


def test_each_address_of_a_name_is_tried(server, film, annotated, monkeypatch):
    server.film, server.stated_secs = film, 8.0
    real = socket.getaddrinfo

    def both(host, port, *args, **kwargs):
        if host != "camera.example":
            return real(host, port, *args, **kwargs)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    assert annotated(server.url(host="camera.example")).exit_status == 0
