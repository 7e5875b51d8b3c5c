"""The page in a real headless Chromium, against the page's own server as a process."""

from __future__ import annotations

import contextlib
import http.client
import io
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from tests.serving import models

ROOT = pathlib.Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)
PHONE = {"width": 375, "height": 740}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (apt install chromium)"),
]
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


def expect(page, selector, words):
    # Not wait_for_function(), whose eval() the page's security policy forbids.
    playwright_api.expect(page.locator(selector)).to_contain_text(words, timeout=20_000)


def astronaut_bgr():
    data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)


@contextlib.contextmanager
def page_server(*flags):
    process = subprocess.Popen(
        [sys.executable, "-m", "emotion_faces.web", "--port=0", *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    version_dir = models.write_emotion(tmp_path_factory.mktemp("model") / "3")
    (version_dir / "assets.extra" / "metrics.json").write_text('{"accuracy": 0.654}')
    with page_server(f"--model-dir={version_dir}") as url:
        yield url


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    face = astronaut_bgr()
    cv2.imwrite(str(folder / "astronaut.jpg"), face)
    cv2.imwrite(str(folder / "wall.png"), np.full((300, 400, 3), 128, np.uint8))
    (folder / "text.jpg").write_text("These are words, not a picture.")
    (folder / "huge.png").write_bytes(png_header(10_000, 10_000))
    for suffix, codec in ((".mjpeg", "MJPG"), (".webm", "VP80")):
        size = 480, 480
        writer = cv2.VideoWriter(
            str(folder / f"face{suffix}"), cv2.VideoWriter_fourcc(*codec), 15, size
        )
        for index in range(45):
            writer.write(cv2.resize(np.roll(face, index, axis=1), size))
        writer.release()
    return folder


def png_header(width, height):
    """A PNG of that many gray pixels, all of them black, in a few hundred kilobytes."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packed = io.BytesIO()
    packer = zlib.compressobj(9)
    for _ in range(height):
        packed.write(packer.compress(bytes(1 + width)))
    packed.write(packer.flush())
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", packed.getvalue())
        + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="module")
def browser(files):
    with playwright_api.sync_playwright() as playwright:
        camera = f"--use-file-for-fake-video-capture={files / 'face.mjpeg'}"
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=[*FLAGS, camera]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """An open page; the test fails on a script error or a breach of the security policy."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, permissions=["camera"])
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: "Security Policy" in message.text and complaints.append(message.text),
    )
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(address)
    expect(page, "#model", "version")
    yield page
    context.close()
    assert complaints == []
    assert [url for url in requested if not url.startswith((address, "blob:"))] == []


def test_the_model_is_introduced_with_its_version_and_accuracy(page):
    assert page.text_content("#model") == "Model version 3, validation accuracy 65.4 %"
    assert "does not know what a person feels" in page.text_content("body")


def test_an_uploaded_picture_gets_its_box_and_seven_probabilities(page, files):
    page.set_input_files("#picture", files / "astronaut.jpg")
    page.wait_for_selector("#faces li")
    assert page.locator("#faces li").count() == 1
    assert page.locator("#faces dt").all_text_contents() == list(models.LABELS)
    shares = [int(text.split()[0]) for text in page.locator("#faces dd span").all_text_contents()]
    assert abs(sum(shares) - 100) <= 4  # each is rounded
    # The box's upper edge, where no such colour is in the photograph.
    label = re.match(r"Face 1: (\w+)", page.text_content(".verdict"))[1]
    hits = page.evaluate(
        """async (label) => {
            const model = await (await fetch('/api/model')).json();
            const colour = model.labels.find((entry) => entry.name === label).colour;
            const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
            const canvas = document.getElementById('canvas');
            const context = canvas.getContext('2d');
            const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
            let hits = 0;
            for (let i = 0; i < data.length; i += 4)
                hits += data[i] === r && data[i + 1] === g && data[i + 2] === b;
            return hits;
        }""",
        label,
    )
    assert hits > 500
    assert page.locator("#history li").count() == 1


def test_a_picture_without_a_face_says_so(page, files):
    page.set_input_files("#picture", files / "wall.png")
    expect(page, "#status", "no face")
    assert page.is_visible("#no-faces")


def test_dropped_pictures_are_looked_at(page, files):
    page.evaluate(
        """async () => {
            const canvas = document.createElement('canvas');
            canvas.width = canvas.height = 64;
            canvas.getContext('2d').fillRect(0, 0, 64, 64);
            const blob = await new Promise((resolve) => canvas.toBlob(resolve));
            const transfer = new DataTransfer();
            transfer.items.add(new File([blob], 'dropped.png', {type: 'image/png'}));
            document.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true}));
        }"""
    )
    expect(page, "#status", "dropped.png: no face")


@pytest.mark.parametrize(
    ("name", "words"),
    [("text.jpg", "is not a picture that can be read"), ("huge.png", "10000 x 10000 pixels")],
)
def test_what_is_no_fit_picture_is_refused_by_name(page, files, name, words):
    page.set_input_files("#picture", files / name)
    page.wait_for_selector("#error:not([hidden])")
    assert name in page.text_content("#error")
    assert words in page.text_content("#error")


def test_the_camera_is_followed_until_it_is_stopped(page):
    page.click("#camera")
    page.wait_for_selector("#faces li", timeout=20_000)
    page.wait_for_selector("#timeline-box:not([hidden])", timeout=20_000)
    assert page.get_attribute("#camera", "aria-pressed") == "true"
    page.click("#camera")
    page.wait_for_selector("#history li")
    assert "Camera" in page.text_content("#history li")
    assert page.text_content("#camera") == "Start camera"


def test_a_film_plays_with_its_faces_followed(page, files):
    page.set_input_files("#film", files / "face.webm")
    page.wait_for_selector("#history li", timeout=30_000)  # the film has ended
    assert "frames, mostly" in page.text_content("#history li")


def test_the_page_works_by_keyboard(page):
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "picture"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "film"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "camera"
    page.keyboard.press("Enter")
    page.wait_for_selector("#faces li", timeout=20_000)
    page.keyboard.press("Enter")
    page.wait_for_selector("#history li")


def test_nothing_is_wider_than_a_phone(page, files):
    page.set_viewport_size(PHONE)
    page.set_input_files("#picture", files / "astronaut.jpg")
    page.wait_for_selector("#faces li")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_model_server_that_is_down_is_named(browser, files):
    with page_server("--server=127.0.0.1:9") as url:
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("#error:not([hidden])", timeout=40_000)
        assert "no answer from the model server at 127.0.0.1:9" in page.text_content("#error")
        page.close()


def test_a_page_server_that_is_gone_is_named(page, files):
    page.route("**/api/faces", lambda route: route.abort())
    page.set_input_files("#picture", files / "astronaut.jpg")
    page.wait_for_selector("#error:not([hidden])")
    assert "own server does not answer" in page.text_content("#error")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Content-Length": str(33 * 1024 * 1024)}, 400),
    ],
)
def test_other_sites_and_oversized_uploads_are_refused(address, headers, status):
    connection = http.client.HTTPConnection(address.split("/")[2], timeout=10)
    connection.putrequest("POST", "/api/faces", skip_host="Host" in headers)
    for name, value in ({"Content-Length": "0"} | headers).items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == status
