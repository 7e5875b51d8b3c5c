"""The page in each of its states, without fault by axe: wide and narrow, light, dark and in the user's own colours."""

from __future__ import annotations

import shutil

import pytest

from tests.serving.web.axe import axe_source, violations
from tests.serving.web.conftest import CHROMIUM, expect

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (apt install chromium)"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="no npm on PATH (apt install npm)"),
]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
LOOKS = {
    "on a phone": (PHONE, {"color_scheme": "light", "forced_colors": "none"}),
    "on a phone, dark": (PHONE, {"color_scheme": "dark", "forced_colors": "none"}),
    "on a desk, dark": (DESK, {"color_scheme": "dark", "forced_colors": "none"}),
    "on a desk, in forced colours": (DESK, {"color_scheme": "light", "forced_colors": "active"}),
}


@pytest.fixture(scope="module")
def version_dir(deep_dir):
    return deep_dir


def test_axe_finds_no_fault_in_any_state_of_the_page(page, files):
    page.evaluate(axe_source())
    found = []

    def look(state):
        for name, (size, media) in LOOKS.items():
            page.set_viewport_size(size)
            page.emulate_media(**media)
            found.extend(f"{state}, {name}: {fault}" for fault in violations(page))

    look("at the beginning")
    page.click("#camera")
    page.wait_for_selector("#timeline-box:not([hidden])", timeout=60_000)
    page.click("#camera")
    expect(page, "#status", "Camera: ")
    look("after the camera")
    page.set_input_files("#picture", files / "astronaut.jpg")
    expect(page, "#status", "astronaut.jpg: 1 face")
    page.click(".face")
    look("with a result")
    page.click(".ask-why")
    page.wait_for_selector(".why canvas")
    look("with the map of why")
    held = []  # the first question, until the page was looked at
    page.route("**/api/faces", lambda route: route.continue_() if held else held.append(route))
    page.set_input_files("#picture", [files / "text.jpg", files / "astronaut.jpg"])
    expect(page, "#progress", "1 of 2: text.jpg")
    look("with a batch under way")
    held[0].continue_()
    expect(page, "#status", "All 2 done: 1 picture with 1 face, 1 failed.")
    look("with a batch that is done, and an error")
    page.set_input_files("#picture", files / "text.jpg")
    expect(page, "#empty", "text.jpg could not be looked at")
    look("with an error alone")
    assert found == []


def test_axe_finds_the_faults_that_there_are(page):
    page.evaluate(axe_source())
    page.evaluate("document.querySelector('#examples img').removeAttribute('alt')")
    page.evaluate("document.querySelector('#model').style.color = '#999'")
    assert {fault.split()[0] for fault in violations(page)} >= {"button-name", "color-contrast"}
