"""The page without a server in a real headless Chromium, from a plain file server, with all other network cut off."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import io
import re
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest
from PIL import Image

from emotion_faces import Emotions, cli
from emotion_faces.annotate.faces import FaceEmotion
from emotion_faces.annotate.table import quality_fields
from emotion_faces.annotate.track import Tracker
from emotion_faces.faces.crop import FACE_SIZE_PX
from emotion_faces.faces.detector import FaceBox
from emotion_faces.model_folder import int8_file
from emotion_faces.shipped import find_model
from emotion_faces.web import static_page
from tests.serving.web.conftest import CHROMIUM, FLAGS, PHONE, playwright_api, png_header

MODEL = "deep"
PATIENCE_MS = 240_000  # for what takes seconds on a quiet machine
BOX_PX = 0.3
PROBABILITY = 0.002
"""How far the page may be from the command; docs/static.md says so."""

ICON = "/below/page/icon.svg"
"""Browsers look for it anew where a page gets another address."""

ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (apt install chromium)"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site with the page in a folder below its top: nothing in it may need to be at the top."""
    site = tmp_path_factory.mktemp("site")
    assert cli.main(["web", "--static", str(site / "below" / "page"), "--model", MODEL]) == 0
    return site


@pytest.fixture(scope="module")
def emotions():
    return Emotions(MODEL)


@pytest.fixture(scope="module")
def files(tmp_path_factory, astronaut):
    folder = tmp_path_factory.mktemp("files")
    bgr = cv2.cvtColor(astronaut, cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(folder / "astronaut.jpg"), bgr)
    cv2.imwrite(str(folder / "scan.tiff"), bgr)
    (folder / "text.jpg").write_text("These are words, not a picture.")
    (folder / "cut.jpg").write_bytes((folder / "astronaut.jpg").read_bytes()[:30_000])
    (folder / "huge.png").write_bytes(png_header(10_000, 10_000))
    for name, codec in (("camera.mjpeg", "MJPG"), ("film.webm", "VP80")):
        code = cv2.VideoWriter_fourcc(*codec)
        writer = cv2.VideoWriter(str(folder / name), code, 15, (320, 320))
        for index in range(30):
            writer.write(cv2.resize(np.roll(bgr, index, axis=1), (320, 320)))
        writer.release()
    return folder


@contextlib.contextmanager
def file_server(folder):
    """Python's own file server, as a process of its own; yields it and its address."""
    command = [sys.executable, "-u", "-m", "http.server", "--bind=127.0.0.1", "0"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        port = re.search(rb"port (\d+)", process.stdout.readline())[1].decode()
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def browser(files):
    with playwright_api().sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            headless=True,
            args=[
                *(flag for flag in FLAGS if not flag.startswith("--host-resolver-rules")),
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                f"--use-file-for-fake-video-capture={files / 'camera.mjpeg'}",
            ],
        )
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser, address):
    """An open page whose model has come, and what it asked for; nothing may break or be forbidden."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, permissions=["camera"])
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: (
            said.type == "error"
            and ICON not in said.location["url"]
            and complaints.append(said.text)
        ),
    )
    requested: list[str] = []
    context.on("request", lambda request: requested.append(f"{request.method} {request.url}"))
    page.goto(f"{address}/below/page/")
    expect(page, "#model", "version")
    yield page, requested
    context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def address(site):
    with file_server(site) as (_, address):
        yield address


@pytest.fixture(scope="module")
def page(browser, address):
    with opened(browser, address) as (page, _):
        yield page


def expect(page, selector, words):
    # Not wait_for_function(), whose eval() the page's security policy forbids.
    playwright_api().expect(page.locator(selector)).to_contain_text(words, timeout=PATIENCE_MS)


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def text_of(data):
    return base64.b64encode(bytes(data)).decode()


def ask(page, data):
    """The page's answer about an encoded picture."""
    return page.evaluate(
        """async (data) => {
            const { findFaces } = await import('./ask.js');
            return findFaces(new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))]));
        }""",
        text_of(data),
    )


def as_in_the_page(face):
    box = {side: getattr(face.box, side) for side in ("left", "top", "width", "height")}
    return box | {"probabilities": [*face.probabilities.values()]}


def mosaic(astronaut):
    """Ten faces of 40 to 290 px, turned and darkened; uint8 RGB [1200, 1600, 3]."""
    head = astronaut[0:300, 80:380]
    canvas = np.full((1200, 1600, 3), 90, np.uint8)
    for index, side in enumerate((90, 130, 170, 210, 250, 300, 360, 420, 480, 540)):
        turn = cv2.getRotationMatrix2D((150, 150), 6 * index - 27, side / 300)
        turn[:, 2] += side / 2 - 150
        small = cv2.warpAffine(head, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
        row, column = divmod(index, 5)
        top, left = 20 + 420 * row, 10 + 315 * column
        part = canvas[top : top + side, left : left + side]
        part[:] = (small * (1 - 0.05 * index)).astype(np.uint8)[: len(part), : part.shape[1]]
    return canvas


@pytest.mark.parametrize(
    "kind",
    [
        *("photograph", "JPEG", "WebP", "on its side", "mosaic", "gray", "clear"),
        *("lying", "lying on the right", "standing on its head", "mosaic on its head"),
    ],
)
def test_it_finds_the_faces_and_probabilities_that_the_command_finds(
    page, emotions, astronaut, kind
):
    aside = Image.Exif()
    aside[0x0112] = 6
    data = {
        "photograph": lambda: encoded(astronaut),
        "JPEG": lambda: encoded(astronaut, "JPEG", quality=85),
        "WebP": lambda: encoded(astronaut, "WEBP", quality=85),
        "on its side": lambda: encoded(
            np.rot90(astronaut), "JPEG", quality=95, exif=aside.tobytes()
        ),
        "mosaic": lambda: encoded(mosaic(astronaut)),
        "gray": lambda: encoded(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)),
        "clear": lambda: encoded(np.dstack([astronaut, astronaut[:, :, 0] | 63])),
        "lying": lambda: encoded(np.rot90(astronaut)),
        "lying on the right": lambda: encoded(np.rot90(astronaut[:, 40:], 3)),
        "standing on its head": lambda: encoded(np.rot90(astronaut, 2), "JPEG", quality=90),
        "mosaic on its head": lambda: encoded(np.rot90(mosaic(astronaut), 2)),
    }[kind]()
    wanted = sorted(emotions.faces(data), key=lambda face: (face.box.left, face.box.top))
    answer = ask(page, data)
    answer["faces"].sort(key=lambda face: (face["left"], face["top"]))
    assert len(wanted) >= (8 if "mosaic" in kind else 1)
    with Image.open(io.BytesIO(data)) as image:
        assert (answer["width"], answer["height"]) == image.size
    for found, face in zip(answer["faces"], wanted, strict=True):
        for side in ("left", "top", "width", "height"):
            assert found[side] == pytest.approx(getattr(face.box, side), abs=BOX_PX)
        assert found["probabilities"] == pytest.approx(face.probabilities, abs=PROBABILITY)
        assert found["label"] == face.label
        assert found["model_version"] == face.model_version
        assert found["quality"] == quality_fields(face)


def test_it_explains_an_answer_as_the_command_does(page, emotions):
    # Of a face on its head, whose answer is not so sure that no spot counts.
    with Image.open(static_page.SOURCES[0] / "example-earnest.jpg") as image:
        data = encoded(np.rot90(image, 2))
    [wanted] = emotions.explain(data)
    found = page.evaluate(
        """async (data) => {
            const { explainFace, findFaces } = await import('./ask.js');
            const blob = new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))]);
            const answer = await findFaces(blob);
            return explainFace(blob, answer, answer.faces[0]);
        }""",
        text_of(data),
    )
    assert (found["face"], found["emotion"]) == (1, wanted.emotion)
    assert found["probability"] == pytest.approx(
        wanted.face.probabilities[wanted.emotion], abs=PROBABILITY
    )
    np.testing.assert_array_equal(found["pixels"], wanted.pixels)
    assert wanted.largest_fall > 0.1
    assert found["largest_fall"] == pytest.approx(wanted.largest_fall, abs=PROBABILITY)
    np.testing.assert_allclose(found["falls"], wanted.falls, atol=PROBABILITY)


def test_faces_are_numbered_row_by_row(page):
    places = [(200, 12), (10, 10), (300, 8), (5, 160), (150, 150)]
    faces = [{"left": left, "top": top, "width": 50, "height": 50} for left, top in places]
    numbered = page.evaluate(
        "async (faces) => (await import('./boxes.js')).numberAsRead(faces)", faces
    )
    assert [(face["left"], face["track"]) for face in numbered] == [
        (10, 1),
        (200, 2),
        (300, 3),
        (5, 4),
        (150, 5),
    ]


@pytest.mark.parametrize(
    ("size", "to"),
    [
        ((75, 150), (48, 96)),
        ((80, 64), (40, 32)),
        ((64, 32), (64, 32)),
        ((17, 53), (32, 64)),
        ((65, 64), (32, 32)),
    ],
)
def test_pictures_are_scaled_as_opencv_scales_them(page, size, to):
    image = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    planes = page.evaluate(
        """async ([text, [width, height], to]) => {
            const { resizeLinear } = await import('./resize.js');
            const data = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const read = (left, top, wide, high) => {
                const part = new Uint8Array(4 * wide * high);
                for (let y = 0; y < high; y++) {
                    const from = 4 * ((top + y) * width + left);
                    part.set(data.subarray(from, from + 4 * wide), 4 * y * wide);
                }
                return part;
            };
            return [...resizeLinear({width, height, read}, ...to)];
        }""",
        [text_of(image.tobytes()), size, to],
    )
    wanted = cv2.resize(np.ascontiguousarray(image[:, :, :3]), to)
    np.testing.assert_array_equal(np.reshape(planes, (3, to[1], to[0])), wanted.transpose(2, 0, 1))


@pytest.mark.parametrize("side", [1, 2, 17, 47, 48, 49, 72, 96, 97, 144, 331])
def test_faces_are_scaled_as_opencv_scales_them(page, side):
    gray = np.random.default_rng(side).integers(0, 256, (side, side), dtype=np.uint8)
    levels = page.evaluate(
        """async ([text, side, size]) => {
            const { resizeSquare } = await import('./resize.js');
            return [...resizeSquare(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), side, size)];
        }""",
        [text_of(gray.tobytes()), side, FACE_SIZE_PX],
    )
    larger = side < FACE_SIZE_PX
    kind = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
    wanted = cv2.resize(gray, (FACE_SIZE_PX, FACE_SIZE_PX), interpolation=kind)
    off = np.abs(np.reshape(levels, wanted.shape) - wanted.astype(int))
    # OpenCV itself rounds larger ones otherwise where it has no library for Intel's processors.
    assert off.max() <= (1 if larger else 0)
    assert (off > 0).mean() <= 0.1


def test_faces_are_followed_as_the_command_follows_them(page):
    random = np.random.default_rng(3)
    frames, seconds = [], 0.0
    places = random.uniform(0, 400, (5, 2))
    for _ in range(40):
        seconds += random.choice([0.04, 0.3, 1.2])
        places += random.normal(0, 15, places.shape)
        faces = [
            FaceEmotion(
                FaceBox(float(left), float(top), 60.0, 80.0),
                "a",
                dict(zip("abc", map(float, random.dirichlet((1, 1, 1))), strict=True)),
                0,
                1,
            )
            for left, top in places[random.random(5) < 0.8]
        ]
        frames.append((seconds, faces))
    tracker = Tracker()
    wanted = [tracker.update(faces, seconds) for seconds, faces in frames]
    asked = [(seconds, [as_in_the_page(face) for face in faces]) for seconds, faces in frames]
    found = page.evaluate(
        """async (frames) => {
            const { Tracker } = await import('./tracker.js');
            const { rules } = await (await fetch('page.json')).json();
            const tracker = new Tracker(rules.track);
            return frames.map(([seconds, faces]) => tracker.update(faces, seconds));
        }""",
        asked,
    )
    assert max(face.track for faces in wanted for face in faces) > 5
    for mine, theirs in zip(found, wanted, strict=True):
        assert [face["track"] for face in mine] == [face.track for face in theirs]
        for one, other in zip(mine, theirs, strict=True):
            assert one["probabilities"] == pytest.approx([*other.probabilities.values()])


def test_it_works_with_its_server_gone_and_sends_nothing(browser, site, files):
    with file_server(site) as (server, address), opened(browser, address) as (page, requested):
        assert "No picture leaves this browser" in page.text_content("#where")
        assert "“deep” version" in page.text_content("#model")
        server.kill()
        server.wait()
        loaded = len(requested)
        page.set_input_files("#picture", files / "astronaut.jpg")
        expect(page, "#status", "astronaut.jpg: 1 face")
        assert page.locator("#faces dt").count() == 7
        page.set_input_files("#film", files / "film.webm")
        page.wait_for_selector("#history li:has-text('film.webm')")
        expect(page, "#history", "mostly")
        # By keyboard alone.
        page.focus("#camera")
        page.keyboard.press("Enter")
        page.wait_for_selector("#faces li")
        page.wait_for_selector("#timeline-box:not([hidden])")
        page.keyboard.press("Enter")
        page.wait_for_selector("#history li:has-text('Camera')")
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        asked = [one for one in requested[loaded:] if " blob:" not in one and ICON not in one]
        assert asked == []
        own = f"GET {address}/below/page/"
        assert [one for one in requested[:loaded] if not one.startswith(own)] == []
        assert loaded >= 15


def test_what_it_cannot_read_is_named_and_the_rest_is_done(page, files):
    names = ("text.jpg", "cut.jpg", "huge.png", "scan.tiff", "astronaut.jpg")
    page.set_input_files("#picture", [files / name for name in names])
    expect(page, "#status", "All 5 done: 1 picture with 1 face, 4 failed.")
    text, cut, huge, scan = page.locator("#error p").all_text_contents()
    assert "text.jpg is not a picture that can be read (JPEG" in text
    assert "cut.jpg is damaged or cut off" in cut
    assert "huge.png has 10000 x 10000 pixels; at most 64 million are read" in huge
    assert "scan.tiff is a TIFF picture, which this browser does not decode" in scan


def test_a_batch_is_ended_by_escape_and_the_next_is_answered(page, files):
    page.set_input_files("#picture", [files / "astronaut.jpg"] * 300)
    expect(page, "#progress", " of 300")
    page.keyboard.press("Escape")
    expect(page, "#status", "Cancelled after")
    page.set_input_files("#picture", files / "astronaut.jpg")
    expect(page, "#status", "astronaut.jpg: 1 face")


def test_its_policy_forbids_what_it_does_not_need(page, address):
    policy = page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content")
    assert "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; " in policy
    assert "unsafe-inline" not in policy
    # A page of its own, whose complaint is what is looked for.
    other = page.context.new_page()
    other.goto(f"{address}/below/page/")
    blocked = other.evaluate(
        """() => new Promise((resolve) => {
            document.addEventListener('securitypolicyviolation', (event) => resolve(event.blockedURI));
            fetch('http://127.0.0.1:9/elsewhere').catch(() => {});
        })"""
    )
    assert blocked.startswith("http://127.0.0.1:9/")
    other.close()


def test_the_card_of_its_model_is_linked(page, address):
    assert page.is_visible("#card")
    linked = page.evaluate("document.querySelector('#card a').href")
    assert linked == f"{address}/below/page/model-card.txt"
    assert "FER2013" in page.request.get(linked).text()


def test_isolated_it_answers_the_same_with_several_threads(browser, site, astronaut, page):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self):
            for name, value in ISOLATED.items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *arguments):
            pass

    handler = functools.partial(Handler, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    data = encoded(astronaut)
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        with opened(browser, address) as (isolated, _):
            assert isolated.evaluate("crossOriginIsolated")
            alone, together = ask(page, data), ask(isolated, data)
    finally:
        server.shutdown()
        server.server_close()
    for one, other in zip(alone["faces"], together["faces"], strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=PROBABILITY)


def test_in_eight_bits_it_answers_as_the_command_does(browser, astronaut, tmp_path):
    folder = tmp_path / "below" / "page"
    assert cli.main(["web", "--static", str(folder), "--model", MODEL, "--int8"]) == 0
    emotions = Emotions(int8_file(find_model(MODEL).folder))
    data = encoded(mosaic(astronaut))
    with file_server(tmp_path) as (_, address), opened(browser, address) as (page, _):
        answers = sorted(ask(page, data)["faces"], key=lambda face: (face["left"], face["top"]))
    wanted = sorted(emotions.faces(data), key=lambda face: (face.box.left, face.box.top))
    assert len(wanted) >= 8
    for found, face in zip(answers, wanted, strict=True):
        # Where a pixel of a crop falls on the other side of a step, whole steps come of it.
        assert found["probabilities"] == pytest.approx(face.probabilities, abs=10 * PROBABILITY)
