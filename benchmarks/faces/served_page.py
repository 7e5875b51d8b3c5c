"""The page of `emotion web` under load: many pictures in one drop, and a camera.

    python -m benchmarks.faces.served_page --faces FER2013/images/validation --photograph PICTURE

A camera of 640 x 480 shows the photograph for a while. Then pictures of 1,600 x 1,600 with 20 faces each are dropped at
once, and looked at to the last. Memory is the resident set of the tab's process, and JavaScript's heap, as they are
sampled. CPU time is that of all of Chromium's processes and the server: on a machine with other work seconds by
the clock say little.
"""

from __future__ import annotations

import argparse
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.faces.browser_page import (
    camera_flags,
    cpu_seconds,
    mosaics,
    run_camera,
    write_camera_film,
)
from emotion_faces.shipped import find_model

DISTINCT = 10
SIDE_PX = 1600
DROP = """() => {
    const transfer = new DataTransfer();
    for (const file of document.getElementById('many').files) transfer.items.add(file);
    document.getElementById('many').remove();
    document.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true }));
}"""
ADD_INPUT = """() => document.body.append(Object.assign(document.createElement('input'),
    { id: 'many', type: 'file', multiple: true }))"""


def write_pictures(folder: pathlib.Path, faces: pathlib.Path, count: int) -> list[pathlib.Path]:
    """Writes JPEG files, ten different ones over and over, and returns their paths."""
    drawn = (data for name, data in mosaics(faces, DISTINCT) if name.endswith(".png"))
    encoded = []
    for data in drawn:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        encoded.append(cv2.imencode(".jpg", cv2.resize(image, (SIDE_PX, SIDE_PX)))[1].tobytes())
    paths = [folder / f"picture-{index:03d}.jpg" for index in range(count)]
    for index, path in enumerate(paths):
        path.write_bytes(encoded[index % len(encoded)])
    return paths


def tab_memory(browser: Browser) -> int:
    """The resident set, in MB, of the tab's process: the largest of those that show pages."""
    told = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    tabs = [process["id"] for process in told["processInfo"] if process["type"] == "renderer"]
    pages = [int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in tabs]
    return max(pages) * resource.getpagesize() // 2**20


def server_seconds(pid: int) -> float:
    """CPU time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def opened(browser: Browser, address: str) -> Page:
    """Opens the page in a context of its own, and so in a new process."""
    page = browser.new_context(permissions=["camera"]).new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    expect(page.locator("#model")).to_contain_text("version", timeout=120_000)
    return page


def drop(browser: Browser, page: Page, paths: list[pathlib.Path], patience_secs: float) -> None:
    """Prints how a drop of pictures ended, and what memory it took."""
    heap = page.context.new_cdp_session(page)
    heap.send("Performance.enable")
    print(f"before: the tab has {tab_memory(browser)} MB")
    page.evaluate(ADD_INPUT)
    page.set_input_files("#many", paths)
    page.evaluate(DROP)
    largest, tab = 0.0, 0
    end = time.monotonic() + patience_secs
    while "done:" not in (page.text_content("#status") or "") and time.monotonic() < end:
        metrics = heap.send("Performance.getMetrics")["metrics"]
        largest = max(
            largest, *(one["value"] for one in metrics if one["name"] == "JSHeapUsedSize")
        )
        tab = max(tab, tab_memory(browser))
        page.wait_for_timeout(200)
    print(page.text_content("#status"))
    print(
        f"{page.locator('#history li').count()} entries; the tab had {tab} MB at most and has "
        f"{tab_memory(browser)} MB, JavaScript's heap {largest / 2**20:.0f} MB at most"
    )


def main() -> None:
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=pathlib.Path, required=True)
    parser.add_argument(
        "--photograph", type=pathlib.Path, required=True, help="what the camera shows"
    )
    parser.add_argument("--model", default="deep")
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--patience-secs", type=float, default=3600)
    options = parser.parse_args()
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "emotion_faces.web",
            "--port=0",
            f"--model-dir={find_model(options.model).folder}",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        paths = write_pictures(pathlib.Path(folder), options.faces, options.pictures)
        film = write_camera_film(pathlib.Path(folder), options.photograph)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=camera_flags(film)
        )
        address = server.stdout.readline().strip()
        page = opened(browser, address)
        print(page.text_content("#model"))
        began = server_seconds(server.pid)
        run_camera(page, options.seconds, lambda: cpu_seconds(browser) + server_seconds(server.pid))
        print(f"of all of it the server's part: {server_seconds(server.pid) - began:.1f} s")
        page.context.close()
        drop(browser, opened(browser, address), paths, options.patience_secs)
        browser.close()
    server.send_signal(signal.SIGINT)
    server.wait(20)


if __name__ == "__main__":
    main()
