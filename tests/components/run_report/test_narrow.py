"""The page as a browser lays it out: nothing lies beside a phone's screen, a desk's at 400 %, or paper."""

import dataclasses
import pathlib

import pytest

from emotion_pipeline.components.run_report.page import write_report, write_runs
from emotion_pipeline.shipped.models import find_shipped
from emotion_pipeline.shipped.onnx_folder import write_onnx_folder
from tests.components.run_report.contents import make_content
from tests.components.run_report.test_page import SECTIONS
from tests.components.run_report.test_record import ONE
from tests.serving.models import LABELS
from tests.serving.web.conftest import CHROMIUM, FLAGS, playwright_api

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (apt install chromium)"),
]


PAPER_PX = 703
"""What the margins leave of A4, which is narrower than Letter, in CSS's pixels."""
BEYOND_ITS_BOX = """
() => [...document.querySelectorAll(".scroll, .features > li")]
  .filter((box) => box.scrollWidth > box.clientWidth)
  .map((box) => box.getAttribute("aria-label") || box.textContent)
"""
CLICK = """
async (hash) => {
  document.querySelector(`nav a[href="${hash}"]`).click();
  for (let frame = 0; frame < 4; frame += 1) await new Promise(requestAnimationFrame);
  const marked = [...document.querySelectorAll("nav a[aria-current]")];
  const list = document.querySelector("nav ul").getBoundingClientRect();
  const inView = (link) => list.left <= link.left && link.right <= list.right;
  return marked.map((one) => [one.hash, inView(one.getBoundingClientRect())]);
}
"""


@pytest.fixture(scope="module")
def browser():
    with playwright_api().sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """A page with maps of why, and one over the runs."""
    folder = tmp_path_factory.mktemp("pages")
    content = make_content(folder / "data", list(LABELS), per_class=41)
    write_onnx_folder(folder / "model", find_shipped("specified"))
    (onnx_file,) = map(str, (folder / "model").rglob("*.onnx"))
    facts = {**content.facts, "Pipeline run": f"emotion ({'0123456789ab' * 3})"}
    content = dataclasses.replace(
        content,
        facts=facts,
        model=dataclasses.replace(content.model, onnx_file=onnx_file),
        data=dataclasses.replace(content.data, anomalies=[]),  # a part of two lines
    )
    write_report(content, folder / "report.html")
    write_runs([ONE], "Runs of root", 1, folder / "index.html")
    assert 'class="explained"' in (folder / "report.html").read_text()
    return folder


@pytest.mark.parametrize("name", ["report.html", "index.html"])
def test_no_page_is_wider_than_a_narrow_screen(browser, folder, name):
    page = browser.new_page()
    page.goto((folder / name).as_uri())
    for width in (320, 390, 640, 800):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_no_table_is_cut_off_on_paper(browser, folder):
    page = browser.new_page(viewport={"width": PAPER_PX, "height": 1000})
    page.emulate_media(media="print")
    page.goto((folder / "report.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate(BEYOND_ITS_BOX) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER_PX
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_part_that_a_link_leads_to_is_marked(browser, folder, width):
    page = browser.new_page(viewport={"width": width, "height": 800}, reduced_motion="reduce")
    page.goto((folder / "report.html").as_uri())
    for section in SECTIONS:
        assert page.evaluate(CLICK, f"#{section}") == [[f"#{section}", True]]
    page.close()
