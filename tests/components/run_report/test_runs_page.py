"""The page over the runs of a root."""

import dataclasses
import itertools
import re

from emotion_pipeline.components.run_report.page import write_runs
from tests.components.run_report.test_page import Page
from tests.components.run_report.test_record import ONE

FIRST = dataclasses.replace(ONE, number=1, status="pushed", outcome="blessed", pushed_version=7)
AGAIN = dataclasses.replace(FIRST, number=3)
FAILED = dataclasses.replace(
    ONE, number=4, status="failed", outcome="failed: <b>disk</b> full", metrics={}, history=[],
    has_page=False,
)  # fmt: skip


def rows(tmp_path, records, served=None):
    write_runs(records, "Runs of fer", served, tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    return page, page.text, text


def test_the_newest_run_comes_first_and_each_has_its_page(tmp_path):
    page, text, _ = rows(tmp_path, [FIRST, ONE, AGAIN, FAILED], served=7)
    order = [text.index(f"run {number} 30 Nov 2026, 05:20 UTC fast") for number in (4, 3, 2, 1)]
    assert order == sorted(order)
    links = [one["href"] for one in page.all("a") if not one["href"].startswith("#")]
    assert links == ["3/report.html", "2/report.html", "1/report.html"]
    assert "not blessed accuracy 0.154 is below 0.5 0.154 0.100 to 0.200 0.057" in text
    assert "failed <b>disk</b> full" in text
    assert len(page.all("svg")) == 2


def test_settings_that_are_not_the_recipes_are_told_by_their_number(tmp_path):
    own = dataclasses.replace(ONE, own_settings=2)
    assert "fast, 2 settings of its own" in rows(tmp_path, [own])[1]


def test_a_run_whose_record_cannot_be_read_is_named(tmp_path):
    write_runs([ONE], "Runs of fer", None, tmp_path / "index.html", damaged=[3, 4])
    text = Page((tmp_path / "index.html").read_text(encoding="utf-8")).text
    assert "Not in the table, for their records (run.json) cannot be read: run 3, run 4." in text
    assert "cannot be read" not in rows(tmp_path, [ONE])[1]


def test_the_run_whose_model_is_served_is_marked(tmp_path):
    _, text, _ = rows(tmp_path, [FIRST, ONE, AGAIN], served=7)
    # Run 3 took the model of run 1 over.
    assert text.count("served") == 1
    assert "7 served" in text.split("run 1 30 Nov")[1]
    _, text, _ = rows(tmp_path, [FIRST, ONE, AGAIN], served=None)
    assert "served" not in text


def test_runs_that_came_to_nothing_have_no_charts(tmp_path):
    page, text, _ = rows(tmp_path, [FAILED])
    assert "failed" in text
    assert not page.all("svg")
    several = dataclasses.replace(FAILED, outcome="failed: one\n- two")
    assert "failed one - two" in rows(tmp_path, [several])[1]


def test_a_curve_is_named_where_it_ends(tmp_path):
    other = dataclasses.replace(ONE, number=5, history=[{"val_accuracy": 0.5}])
    _, _, html = rows(tmp_path, [FIRST, ONE, other])
    assert "runs 1, 2</text>" in html
    assert "run 5</text>" in html


def test_the_names_of_curves_stand_beside_them_one_above_the_other(tmp_path):
    curves = [[0.2, 0.3, 0.4], [0.1, 0.41], [0.3, 0.42, 0.43, 0.44, 0.45]]
    records = [
        dataclasses.replace(ONE, number=n, history=[{"val_accuracy": one} for one in curve])
        for n, curve in enumerate(curves, start=1)
    ]
    _, _, html = rows(tmp_path, records)
    chart = html[html.index("<svg") : html.index("</svg>")]
    names = re.findall(r'x="([\d.]+)" y="([\d.]+)"[^>]*> ?run \d</text>', chart)
    lines = re.findall(r'<path d="([^"]*)" clip-path', chart)
    drawn = [float(x) for line in lines for x in re.findall(r"[ML] ([\d.]+) ", line)]
    assert len(names) == len(curves)
    assert min(float(x) for x, _ in names) > max(drawn)
    heights = sorted(float(y) for _, y in names)
    assert min(b - a for a, b in itertools.pairwise(heights)) > 9
