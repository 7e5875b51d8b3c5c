"""The page without a server beside the command: how far its answers are off, and how many frames a second it looks at.

    python -m benchmarks.faces.browser_page --pictures FOLDER --faces FER2013/images/validation --photograph PICTURE

Writes the page, opens it in headless Chromium from a file server, and asks it and the library about each picture of the
folder and about mosaics of faces (20 a picture, 60 to 150 px, as PNG and as JPEG). Then a camera of 640 x 480 shows the
photograph for a while. CPU time is that of all of Chromium's processes: on a machine with other work seconds by the
clock say little.
"""

from __future__ import annotations

import argparse
import base64
import functools
import http.server
import pathlib
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, expect, sync_playwright

from emotion_faces import Emotions
from emotion_faces.errors import UserError
from emotion_faces.shipped import find_model
from emotion_faces.web.static_page import write_static_page

ASK = """async (data) => {
    const { findFaces } = await import('./ask.js');
    const blob = new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))]);
    return findFaces(blob).catch((error) => ({ error: error.message }));
}"""
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Gives out files, with the headers that allow several threads where `isolated` is set."""

    isolated = False

    def end_headers(self) -> None:
        """Adds the headers."""
        for name, value in ISOLATION.items() if self.isolated else ():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def mosaics(folder: pathlib.Path, count: int) -> Iterator[tuple[str, bytes]]:
    """Draws pictures of 20 faces each: name and bytes."""
    random = np.random.default_rng(1)
    faces = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".png"))
    for index in range(count):
        canvas = np.full((700, 900, 3), 120, np.uint8)
        for place, number in enumerate(random.choice(len(faces), 20, replace=False)):
            side = int(random.integers(60, 150))
            top, left = 10 + 170 * (place // 5), 10 + 175 * (place % 5)
            face = cv2.resize(
                cv2.imread(str(faces[number])), (side, side), interpolation=cv2.INTER_CUBIC
            )
            canvas[top : top + side, left : left + side] = face
        for suffix in (".png", ".jpg"):
            yield f"mosaic {index}{suffix}", cv2.imencode(suffix, canvas)[1].tobytes()


def compare(page: Page, emotions: Emotions, pictures: Iterator[tuple[str, bytes]]) -> None:
    """Prints how far the page is off, over all pictures that both read."""
    faces = read = 0
    box_off = probability_off = 0.0
    for name, data in pictures:
        answer = page.evaluate(ASK, base64.b64encode(data).decode())
        try:
            wanted = emotions.faces(data)
        except UserError as error:
            print(f"{name}: the command: {error}; the page: {answer.get('error', 'reads it')}")
            continue
        if "error" in answer:
            print(f"{name}: the page: {answer['error']}; the command reads it")
            continue
        found = answer["faces"]
        if len(found) != len(wanted):
            print(f"{name}: the page finds {len(found)} faces, the command {len(wanted)}")
            continue
        read += 1
        wanted = sorted(wanted, key=lambda face: (face.box.left, face.box.top))
        found.sort(key=lambda face: (face["left"], face["top"]))
        for mine, theirs in zip(found, wanted, strict=True):
            faces += 1
            for side in ("left", "top", "width", "height"):
                box_off = max(box_off, abs(mine[side] - getattr(theirs.box, side)))
            for label, value in theirs.probabilities.items():
                probability_off = max(probability_off, abs(mine["probabilities"][label] - value))
    print(
        f"{read} pictures, {faces} faces: at most {box_off:.4f} px off, and {probability_off:.6f} in probability"
    )


def cpu_seconds(browser: Browser) -> float:
    """Returns the CPU time of the browser's processes so far."""
    told = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    return float(sum(process["cpuTime"] for process in told["processInfo"]))


def write_camera_film(folder: pathlib.Path, photograph: pathlib.Path) -> pathlib.Path:
    """Writes what a camera of 640 x 480 shows, a photograph, and returns its path."""
    film = folder / "camera.mjpeg"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"MJPG"), 30, (640, 480))
    for _ in range(60):
        writer.write(cv2.resize(cv2.imread(str(photograph)), (640, 480)))
    writer.release()
    return film


def camera_flags(film: pathlib.Path) -> list[str]:
    """Chromium's arguments for a camera that shows a film."""
    return [
        *("--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream"),
        *("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}"),
    ]


def run_camera(page: Page, seconds: float, cpu: Callable[[], float]) -> None:
    """Prints how many of the camera's frames were looked at; `cpu` tells the CPU time so far."""
    page.click("#camera")
    page.wait_for_selector("#faces li")
    began, used = time.monotonic(), cpu()
    page.wait_for_timeout(1000 * seconds)
    used = cpu() - used
    seconds = time.monotonic() - began
    page.click("#camera")
    page.wait_for_selector("#history li:has-text('Camera')")
    found = re.search(r"(\d+) frames?", page.text_content("#history") or "")
    frames = int(found[1]) if found else 0
    print(
        f"camera: {frames} frames in {seconds:.0f} s, {used / max(frames, 1):.3f} s of CPU time each"
    )


def main() -> None:
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=pathlib.Path, required=True)
    parser.add_argument("--faces", type=pathlib.Path, required=True)
    parser.add_argument(
        "--photograph", type=pathlib.Path, required=True, help="what the camera shows"
    )
    parser.add_argument("--model", default="deep")
    parser.add_argument("--mosaics", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument(
        "--isolated", action="store_true", help="send the headers for several threads"
    )
    options = parser.parse_args()
    Handler.isolated = options.isolated
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = pathlib.Path(folder, "page")
        write_static_page(site, find_model(options.model).folder)
        film = write_camera_film(pathlib.Path(folder), options.photograph)
        handler = functools.partial(Handler, directory=str(site))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=camera_flags(film)
        )
        page = browser.new_context(permissions=["camera"]).new_page()
        page.set_default_timeout(120_000)
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        expect(page.locator("#model")).to_contain_text("version", timeout=120_000)
        print(
            page.text_content("#model"), "isolated" if page.evaluate("crossOriginIsolated") else ""
        )
        files = ((path.name, path.read_bytes()) for path in sorted(options.pictures.iterdir()))
        compare(page, Emotions(options.model), files)
        compare(page, Emotions(options.model), mosaics(options.faces, options.mosaics))
        run_camera(page, options.seconds, lambda: cpu_seconds(browser))
        browser.close()


if __name__ == "__main__":
    main()
