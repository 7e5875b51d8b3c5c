"""A real headless Chromium, and the page's own server as a process."""

from __future__ import annotations

import contextlib
import io
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from emotion_faces import model_folder
from emotion_pipeline.shipped.models import find_shipped
from emotion_pipeline.shipped.onnx_folder import write_onnx_folder
from tests.serving import models

ROOT = pathlib.Path(__file__).parents[3]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    "--host-resolver-rules=MAP page.test 127.0.0.1",
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)
IN_CHROMIUM = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (apt install chromium)"),
]
"""The marks of what needs a real browser."""
LONG = 120_000
"""Milliseconds for a film to be looked at, frame by frame, on a machine that has other work."""
PHONE = {"width": 375, "height": 740}


def playwright_api():
    return pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


def expect(page, selector, words):
    # Not wait_for_function(), whose eval() the page's security policy forbids.
    playwright_api().expect(page.locator(selector)).to_contain_text(words, timeout=60_000)


def astronaut_bgr():
    data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)


@contextlib.contextmanager
def page_server(*flags, host="127.0.0.1", stderr=None):
    process = subprocess.Popen(
        [sys.executable, "-m", "emotion_faces.web", "--port=0", f"--host={host}", *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@pytest.fixture(scope="module")
def version_dir(tmp_path_factory):
    version_dir = models.write_emotion(tmp_path_factory.mktemp("model") / "3")
    (version_dir / "assets.extra" / "metrics.json").write_text('{"accuracy": 0.654}')
    (version_dir / "assets.extra" / "MODEL_CARD.md").write_text("# Trained on drawings")
    return version_dir


@pytest.fixture(scope="module")
def deep_dir(tmp_path_factory):
    """A model that needs no TensorFlow, which the page and the command load in a second."""
    folder = tmp_path_factory.mktemp("model") / "deep"
    write_onnx_folder(folder, find_shipped("deep"))
    return model_folder.newest_version(folder)


@pytest.fixture(scope="module")
def address(version_dir):
    with page_server(f"--model-dir={version_dir}") as url:
        yield url


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    face = astronaut_bgr()
    cv2.imwrite(str(folder / "astronaut.jpg"), face)
    cv2.imwrite(str(folder / "wall.png"), np.full((300, 400, 3), 128, np.uint8))
    cv2.imwrite(str(folder / "scan.tiff"), face)
    cv2.imwrite(str(folder / f"{'long' * 40}.jpg"), face)
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
    writer = cv2.VideoWriter(
        str(folder / "tall.webm"), cv2.VideoWriter_fourcc(*"VP80"), 15, (360, 640)
    )
    for _ in range(30):
        writer.write(cv2.resize(face, (360, 640)))
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
    with playwright_api().sync_playwright() as playwright:
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
