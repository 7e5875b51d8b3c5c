"""URLs as inputs, against servers here that behave well, badly, and not at all."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import gzip
import http.server
import io
import socket
import threading

import numpy as np
import pytest
from PIL import Image

from emotion_faces import urls
from emotion_faces.annotate import film_stream, run
from emotion_faces.annotate.film import FilmReader
from emotion_faces.cli import main
from emotion_faces.errors import UserError
from emotion_faces.urls import UrlPolicy
from tests.serving.fakes import BrightnessClassifier
from tests.serving.films import write_film
from tests.serving.running import running

HERE = UrlPolicy(allowed=True, private=True, stall_secs=5)


def png():
    buffer = io.BytesIO()
    Image.new("L", (48, 48), 90).save(buffer, "PNG")
    return buffer.getvalue()


class Site(http.server.BaseHTTPRequestHandler):
    """Answers by `pages`: a path's function is handed the request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.close_connection = True
        self.server.asked.append((self.path, self.headers["Host"]))
        with contextlib.suppress(ConnectionError):
            self.server.pages[self.path.partition("?")[0]](self)

    def log_message(self, *words):
        pass

    def answer(self, body=b"", status=200, **headers):
        self.send_response(status)
        for name, value in ({"Content_Length": len(body)} | headers).items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def site():
    """A server with `pages` to be filled, `url` of its root, and `over`, set at the end."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    server.pages = {"/face.png": lambda request: request.answer(png())}
    server.asked = []
    server.over = threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    with running(server):
        yield server


def fetched(url, tmp_path, policy=HERE):
    target = tmp_path / "fetched"
    target.unlink(missing_ok=True)
    urls.fetch(url, target, policy)
    return target.read_bytes()


def refused(url, tmp_path, words, policy=HERE):
    with pytest.raises(UserError, match=words):
        fetched(url, tmp_path, policy)


def test_a_file_is_fetched_as_it_is(site, tmp_path):
    assert fetched(f"{site.url}/face.png?size=48 px", tmp_path) == png()
    assert site.asked == [("/face.png?size=48%20px", site.url.removeprefix("http://"))]


def test_urls_are_off_unless_they_are_let_in(site, tmp_path, capsys):
    refused(f"{site.url}/face.png", tmp_path, "--allow-urls lets them be opened", UrlPolicy())
    refused(
        f"{site.url}/face.png",
        tmp_path,
        "leads to 127.0.0.1, which is not a public",
        UrlPolicy(True),
    )
    assert main(["predict", f"{site.url}/face.png"]) == 1
    assert main(["annotate", f"{site.url}/face.png", "--out", str(tmp_path / "out")]) == 1
    assert main(["predict", f"{site.url}/face.png", "--allow-urls"]) == 1
    told = capsys.readouterr().err
    assert told.count("is a URL: --allow-urls lets them be opened") == 2
    assert told.count("--allow-private-urls lets it be asked") == 1
    assert site.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *((one, True) for one in ("93.184.216.34", "2606:2800:220:1::1")),
        *(
            (one, False)
            for one in ("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "0.0.0.0")
        ),
        *(
            (one, False)
            for one in ("169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255")
        ),
        *((one, False) for one in ("::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1")),
        *((one, False) for one in ("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::")),
        *((one, False) for one in ("::127.0.0.1", "::ffff:0:7f00:1", "64:ff9b:1::7f00:1")),
        *((one, False) for one in ("fec0::1", "3fff::1", "5f00::1", "100::1", "2001:db8::1")),
    ],
)
def test_only_addresses_of_the_internet_are_public(address, public):
    assert urls.is_public(address) is public


@pytest.fixture
def names(site, monkeypatch):
    """Hosts: public.test is 127.0.0.1, which counts as public; private.test is 127.0.0.2, which does not."""
    table = {"public.test": ["127.0.0.1"], "private.test": ["127.0.0.2"]}
    table["both.test"] = ["127.0.0.1", "127.0.0.2"]
    real = socket.getaddrinfo

    def resolve(host, port, *args, **options):
        found = table.get(host, [host])
        return [entry for one in found for entry in real(one, port, *args, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(urls, "is_public", lambda address: address == "127.0.0.1")
    return table


def test_each_redirect_is_checked_anew(site, names, tmp_path):
    strict = dataclasses.replace(HERE, private=False)
    port = site.server_port
    for path, target in {
        "/here": "face.png",
        "/there": f"http://private.test:{port}/face.png",
        "/file": "file:///etc/passwd",
        "/loop": "/loop",
    }.items():
        site.pages[path] = lambda request, target=target: request.answer(
            status=302, Location=target
        )
    public = f"http://public.test:{port}"
    assert fetched(f"{public}/here", tmp_path, strict) == png()
    assert site.asked[-1] == ("/face.png", f"public.test:{port}")
    refused(f"{public}/there", tmp_path, "private.test.* leads to 127.0.0.2, which is not", strict)
    refused(f"{public}/file", tmp_path, "leads on to file:///etc/passwd, which is not", strict)
    refused(f"{public}/loop", tmp_path, "leads on more than 5 times", strict)
    # All addresses of a name must pass, not the one that would be asked first.
    refused(f"http://both.test:{port}/face.png", tmp_path, "leads to 127.0.0.2", strict)
    assert not any(host.startswith(("private", "both")) for _, host in site.asked)


def test_the_address_that_is_asked_is_the_one_that_was_checked(site, names, tmp_path, monkeypatch):
    """A name that leads elsewhere when it is asked for a second time."""
    checked = urls.check_url

    def check_and_turn(url, policy):
        addresses = checked(url, policy)
        names["public.test"] = ["127.0.0.2"]
        return addresses

    monkeypatch.setattr(urls, "check_url", check_and_turn)
    strict = dataclasses.replace(HERE, private=False)
    assert fetched(f"http://public.test:{site.server_port}/face.png", tmp_path, strict) == png()


def test_what_is_too_large_packed_or_cut_off_is_refused(site, tmp_path):
    small = dataclasses.replace(HERE, max_bytes=1000)

    def pour(request):
        request.answer(Content_Length=None)
        while not site.over.is_set():
            request.wfile.write(bytes(1000))

    site.pages |= {
        "/stated": lambda request: request.answer(Content_Length=10**12),
        "/poured": pour,
        "/bomb": lambda request: request.answer(
            gzip.compress(bytes(10**6)), Content_Encoding="gzip"
        ),
        "/cut": lambda request: request.answer(b"half", Content_Length=8),
        "/none": lambda request: request.answer(b"gone", 404),
    }
    refused(f"{site.url}/stated", tmp_path, "has 1,000,000,000,000 bytes; at most 1,000", small)
    refused(f"{site.url}/poured", tmp_path, "is larger than 1,000 bytes", small)
    refused(f"{site.url}/bomb", tmp_path, r"answers packed \(gzip\)")
    refused(f"{site.url}/cut", tmp_path, "broke off")
    refused(f"{site.url}/none", tmp_path, "answers 404 Not Found")


def test_what_drips_or_stalls_is_given_up(site, tmp_path, monkeypatch):
    def drip_head(request):
        while not site.over.wait(0.05):
            request.wfile.write(b"H")

    def drip_body(request):
        request.answer(Content_Length=10**6)
        while not site.over.wait(0.05):
            request.wfile.write(b"b")

    def stall(request):
        request.answer(b"begun", Content_Length=10**6)
        site.over.wait()

    def drip_size_of_a_chunk(request):
        request.answer(Content_Length=None, Transfer_Encoding="chunked")
        request.wfile.write(b"5\r\nbegun\r\n5;")
        while not site.over.wait(0.05):
            request.wfile.write(b"x")

    site.pages |= {"/head": drip_head, "/body": drip_body, "/stall": stall}
    site.pages["/chunk"] = drip_size_of_a_chunk
    short = dataclasses.replace(HERE, stall_secs=1)
    refused(f"{site.url}/chunk", tmp_path, "stalled: nothing came for 1 s", short)
    refused(f"{site.url}/stall", tmp_path, "stalled: nothing came for 5 s")
    hasty = dataclasses.replace(HERE, fetch_secs=1)
    refused(f"{site.url}/body", tmp_path, "takes longer than 1 s", hasty)
    monkeypatch.setattr(urls, "_HEAD_SECS", 1)
    refused(f"{site.url}/head", tmp_path, "can't be opened: it does not answer in time")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://", "is no URL that can be opened"),
        ("http://[::1", "is no URL that can be opened"),
        ("http://host:99999/", "is no URL that can be opened"),
        ("http://name.invalid/a.jpg", "can't be resolved"),
        ("http://me:secret@127.0.0.1/a.jpg", r"^http://127.0.0.1/a.jpg: .* user or password"),
    ],
)
def test_urls_that_are_none_are_named(url, words, tmp_path):
    refused(url, tmp_path, words)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h/a/holiday.jpg?x=1", "holiday.jpg"),
        ("http://h/..%2F..%2Fetc%2Fpasswd", "_.._etc_passwd"),
        ("http://h/.hidden", "hidden"),
        ("http://h/", "h"),
        ("rtsp://me:secret@h/", "h"),
    ],
)
def test_names_of_files_are_plain(url, name):
    assert urls.file_name(url) == name


def test_predict_and_annotate_take_pictures(site, tmp_path, capsys):
    words = [f"{site.url}/face.png", "--allow-urls", "--allow-private-urls"]
    assert main(["predict", *words]) == 0
    assert capsys.readouterr().out.startswith(f"{site.url}/face.png  ")
    assert main(["annotate", *words, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "face.png").is_file()
    site.pages["/face.png"] = lambda request: request.answer(b"<html>", Content_Type="text/html")
    assert main(["predict", *words]) == 1
    assert "face.png  error: it is not a picture" in capsys.readouterr().out
    assert main(["predict", "rtsp://127.0.0.1/live", *words[1:]]) == 1
    assert "is a stream, which emotion annotate reads" in capsys.readouterr().err


@pytest.fixture
def stream(site, tmp_path, astronaut):
    """`/live.ts` on the site: a film of two seconds, over and over; `rounds` says how often at the most."""
    path = tmp_path / "film.ts"
    write_film(path, [np.ascontiguousarray(astronaut[::2, ::2])] * 20)
    film = path.read_bytes()
    site.rounds = 10**9

    def pour(request):
        request.answer(Content_Length=None, Content_Type="video/mp2t")
        for _ in range(site.rounds):
            request.wfile.write(film)
        site.over.wait()

    site.pages["/live.ts"] = pour
    return f"{site.url}/live.ts"


@pytest.fixture
def classifier(monkeypatch):
    monkeypatch.setattr(
        run.local_server,
        "connect",
        lambda *args, **options: contextlib.nullcontext(BrightnessClassifier()),
    )


def settings(**changes):
    return dataclasses.replace(run.DEFAULT_SETTINGS, urls=HERE, every=10, **changes)


def frames_of(path):
    with FilmReader(path) as film:
        return sum(1 for _ in film.frames()), film.damage


def test_an_endless_stream_ends_after_the_seconds_that_are_let(
    stream, tmp_path, classifier, monkeypatch
):
    monkeypatch.setattr(run, "_CLOCK_FACTOR", 10**6)
    done = run.annotate([stream], tmp_path / "out", settings=settings(max_secs=3))
    assert (done.exit_status, done.films, done.failures) == (0, 1, [])
    frames, damage = frames_of(tmp_path / "out" / "live.ts.mp4")
    assert frames == done.frames == 30
    assert damage == []
    with (tmp_path / "out" / "faces.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["file"] for row in rows} == {stream}
    assert [row["frame"] for row in rows] == ["0", "10", "20"]


def test_a_stream_that_drips_ends_by_the_clock(stream, tmp_path, classifier, monkeypatch):
    """Ten frames after which 3 x 10 s have gone."""
    calls = iter(range(10**6))
    monkeypatch.setattr(run.time, "monotonic", lambda: 3.0 * next(calls))
    done = run.annotate([stream], tmp_path / "out", settings=settings(max_secs=3))
    assert (done.exit_status, done.failures) == (0, [])
    assert 0 < done.frames < 30
    assert frames_of(tmp_path / "out" / "live.ts.mp4") == (done.frames, [])


def test_an_endless_stream_ends_by_an_interrupt_with_the_file_whole(
    stream, tmp_path, classifier, monkeypatch
):
    stopped = threading.Event()

    class StopsAtFrame40(run.Progress):
        def advance(self):
            super().advance()
            self.frames = getattr(self, "frames", 0) + 1
            if self.frames == 40:
                stopped.set()

    monkeypatch.setattr(run, "Progress", StopsAtFrame40)
    monkeypatch.setattr(run, "stop_on_interrupt", lambda: contextlib.nullcontext(stopped))
    done = run.annotate([stream], tmp_path / "out", settings=settings())
    assert done.exit_status == 130
    frames, damage = frames_of(tmp_path / "out" / "live.ts.mp4")
    assert frames == done.frames >= 40
    assert damage == []


def test_a_stream_that_stalls_is_named_and_its_copy_whole(site, stream, tmp_path, classifier):
    site.rounds = 2
    done = run.annotate([stream], tmp_path / "out", settings=settings())
    assert done.exit_status == 1
    [(name, reason)] = done.failures
    assert name == stream
    assert reason == f"{stream} stalled: nothing came for 5 s"
    frames, damage = frames_of(tmp_path / "out" / "live.ts.mp4")
    assert 0 < frames <= 40
    assert damage == []


@pytest.mark.parametrize(("whole", "frames"), [(0, 0), (2, 20)])
def test_a_stream_of_which_nothing_whole_comes_is_named(
    site, stream, tmp_path, classifier, monkeypatch, whole, frames
):
    """Each byte is in time; so there is always another one to wait for, from the beginning or later."""
    film = (tmp_path / "film.ts").read_bytes()

    def drip(request):
        request.answer(film * whole, Content_Length=None, Content_Type="video/mp2t")
        while not site.over.wait(0.02):
            request.wfile.write(b"G")

    site.pages["/live.ts"] = drip
    monkeypatch.setattr(film_stream, "_WHOLE_SECS", 1.0)
    done = run.annotate([stream], tmp_path / "out", settings=settings())
    assert done.exit_status == 1
    assert done.failures == [(stream, f"{stream} drips: nothing whole came for 1 s")]
    assert done.frames >= frames


def test_a_playlist_leads_nowhere(site, tmp_path, classifier):
    """libav would open what a playlist names by itself."""
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{site.url}/secret.ts\n#EXT-X-ENDLIST\n"
    site.pages["/list"] = lambda request: request.answer(text.encode(), Content_Length=None)
    done = run.annotate([f"{site.url}/list"], tmp_path / "out", settings=settings())
    assert done.exit_status == 1
    assert [path for path, _ in site.asked] == ["/list"]
