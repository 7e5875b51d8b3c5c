"""The page as a browser lays it out: nothing of it lies beside a phone's screen, nor at 400 % zoom of a desk's."""

import dataclasses

import pytest

from emotion_pipeline.components.run_report.page import write_report, write_runs
from emotion_pipeline.shipped.models import find_shipped
from emotion_pipeline.shipped.onnx_folder import write_onnx_folder
from tests.components.run_report.contents import make_content
from tests.components.run_report.test_record import ONE
from tests.serving.models import LABELS
from tests.serving.web.conftest import CHROMIUM, FLAGS, playwright_api

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (apt install chromium)"),
]


def test_no_page_is_wider_than_a_narrow_screen(tmp_path):
    content = make_content(tmp_path / "data", list(LABELS), per_class=41)
    write_onnx_folder(tmp_path / "model", find_shipped("specified"))
    (onnx_file,) = map(str, (tmp_path / "model").rglob("*.onnx"))
    facts = {**content.facts, "Pipeline run": f"emotion ({'0123456789ab' * 3})"}
    content = dataclasses.replace(
        content, facts=facts, model=dataclasses.replace(content.model, onnx_file=onnx_file)
    )
    write_report(content, tmp_path / "report.html")
    write_runs([ONE], "Runs of root", 1, tmp_path / "index.html")
    assert 'class="explained"' in (tmp_path / "report.html").read_text()
    with playwright_api().sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page()
        for name in ("report.html", "index.html"):
            page.goto((tmp_path / name).as_uri())
            for width in (320, 390, 640, 800):
                page.set_viewport_size({"width": width, "height": 800})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        browser.close()
