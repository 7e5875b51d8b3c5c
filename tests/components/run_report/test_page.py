import dataclasses
import html.parser
import re

import numpy as np
import pytest

from emotion_pipeline.components.run_report.content import ReportContent
from emotion_pipeline.components.run_report.intervals import bootstrap
from emotion_pipeline.components.run_report.page import copy_report, flatten, render, write_report
from emotion_pipeline.components.run_report.text import visible
from tests.components.run_report.contents import make_content, make_data, make_manifest

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "$\\frac{1}{0}$ &amp; ]]> -->",
    "\u202egpj.exe\u200b",
    "x" * 200,
]
NAMES = ["angry", "disgust", "happy"]
MAX_BYTES = 5 * 10**6


class Page(html.parser.HTMLParser):
    """What a browser would find in a page."""

    VOID = {"meta", "img", "br", "link", "input"}

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return render(make_content(tmp_path_factory.mktemp("data"), NAMES))


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_refers_to_nothing_outside_itself(page, text):
    allowed = ("data:image/jpeg;base64,", "#")
    for tag, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "srcset", "action", "poster", "data"):
            if name in attributes:
                assert attributes[name].startswith(allowed), (tag, name, attributes[name])
    for target in re.findall(r"url\(([^)]*)\)", text):
        assert target.startswith("#"), target
    assert "@import" not in text
    (policy,) = [one for one in page.all("meta") if "http-equiv" in one]
    assert policy["content"].startswith("default-src 'none'")


def test_links_lead_to_their_sections_and_no_id_comes_twice(page, text):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [one["href"][1:] for one in page.all("a")]
    assert set(links) <= set(ids)
    sections = [one["id"] for one in page.all("section")]
    assert sections == [
        "verdict", "curves", "classes", "calibration", "mistakes", "anomalies", "counts",
        "findings", "drift", "statistics", "sheets", "copies", "run",
    ]  # fmt: skip
    assert set(sections) <= set(links)
    assert set(re.findall(r'xlink:href="#([^"]+)"|url\(#([^)]+)\)', text)) <= {
        pair for one in ids for pair in ((one, ""), ("", one))
    }


def test_pictures_have_words_and_tables_have_headers(page):
    assert page.all("img")
    assert all(one["alt"] for one in page.all("img"))
    charts = page.all("svg")
    # Two curves, recall, reliability, counts, two features.
    assert len(charts) == 7
    assert all(one["role"] == "img" and one["aria-label"] for one in charts)
    headers = page.all("th")
    assert headers
    assert all(one.get("scope") in ("col", "row", "colgroup") for one in headers)
    regions = [one for one in page.all("div") if one.get("role") == "region"]
    assert regions
    assert all(one["tabindex"] == "0" and one["aria-label"] for one in regions)
    (language,) = page.all("html")
    assert language["lang"] == "en"


def test_the_figures_are_those_of_the_predictions(page):
    # 120 images, 40 a class; every fourth answer is the last class.
    assert "Accuracy on eval 0.833" in page.text
    assert "points; 0.875 on train" in page.text
    interval, _ = bootstrap(np.array([[30, 0, 10], [0, 30, 10], [0, 0, 40]]), seed=1)
    assert f"95 %: {interval.low:.3f} to {interval.high:.3f}" in page.text
    assert "The model is right in 83.3 % of the eval images" in page.text
    # It always says 0.9.
    assert "The expected calibration error is 0.067" in page.text
    assert "too sure of itself" in page.text
    assert re.search(r"angry 40 1\.000 0\.750", page.text)
    assert "at most 0 below the blessed model's 0.8000 -0.0500 failed" in page.text
    assert "Taken up again after epoch 1." in page.text


def test_every_pruned_file_has_its_reason(page):
    assert "ends before its picture does (truncated)" in page.text


def test_a_group_that_is_too_large_says_what_is_left_out(page):
    assert "6 of 8 groups" in page.text
    assert "and 2 more files" in page.text


def test_times_versions_and_settings_are_told(page):
    for words in ("Trainer 1 min 05 s", "Pusher 0.1 s taken over", "python 3.10", "train.epochs 2"):
        assert words in page.text


def test_hostile_names_stay_text(tmp_path):
    content = make_content(tmp_path, HOSTILE)
    content = dataclasses.replace(content, title=HOSTILE[1], outcome=HOSTILE[0])
    text = render(content)
    found = Page(text)
    assert not {"script", "iframe", "object"} & {tag for tag, _ in found.elements}
    for tag, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
    assert all(one["src"].startswith("data:") for one in found.all("img"))
    for name in HOSTILE:
        shown = re.sub(r"\s+", " ", visible(name))
        assert shown in found.text, name
    assert not {"\u202e", "\u200b"} & set(text)
    assert "\\u202egpj.exe\\u200b" in found.text


def test_a_page_of_many_classes_and_large_pictures_is_below_five_megabytes(tmp_path):
    labels = [f"class {number:02d}" for number in range(48)]
    text = render(make_content(tmp_path, labels, per_class=8, size_px=200))
    assert 10**6 < len(text.encode()) < MAX_BYTES
    assert "8 more classes are not shown" in text


def test_a_validation_has_the_data_alone(tmp_path):
    content = make_content(tmp_path, NAMES)
    found = Page(render(dataclasses.replace(content, model=None, run=None)))
    assert [one["id"] for one in found.all("section")] == [
        "anomalies", "counts", "findings", "drift", "statistics", "sheets", "copies",
    ]  # fmt: skip


def test_what_nobody_looked_for_is_not_said_to_be_absent(tmp_path):
    data = make_data(make_manifest(tmp_path, NAMES, 2))
    bare = dataclasses.replace(
        data, findings=None, anomalies=None, drift=None, statistics={}, copies=(), class_counts={}
    )
    found = Page(render(ReportContent("A page", "Failed", False, bare)))
    assert [one["id"] for one in found.all("section")] == ["counts", "sheets"]
    looked = dataclasses.replace(bare, findings=[], anomalies=[])
    text = render(ReportContent("A page", "Clean", True, looked))
    assert "None: both splits fit the schema." in text
    assert "None: no copies, no conflicting labels" in text


def test_a_file_that_is_gone_is_told(tmp_path):
    manifest = make_manifest(tmp_path, NAMES, 2)
    data = make_data(manifest)
    for path in manifest.table["path"]:
        (tmp_path / path).unlink(missing_ok=True)
    text = render(ReportContent("A page", "Clean", True, data))
    assert "file is gone" in text


def test_the_same_content_gives_the_same_page(tmp_path):
    content = make_content(tmp_path, NAMES)
    assert render(content) == render(content)


def test_the_file_is_replaced_whole(tmp_path):
    content = make_content(tmp_path / "data", NAMES)
    target = tmp_path / "new" / "report.html"
    write_report(content, target)
    assert target.read_text(encoding="utf-8") == render(content)
    copy_report(target, tmp_path / "copy.html")
    assert (tmp_path / "copy.html").read_bytes() == target.read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["copy.html", "data", "new"]
    assert [one.name for one in target.parent.iterdir()] == ["report.html"]


def test_visible():
    assert visible("a\x00\n\u202eb \u00e9\U0001f600") == "a\\x00\\n\\u202eb \u00e9\U0001f600"


def test_flatten():
    nested = {"seed": 1, "train": {"epochs": 3, "steps": [[0, 0.5]]}, "empty": {}}
    assert list(flatten(nested)) == [
        ("seed", 1), ("train.epochs", 3), ("train.steps", [[0, 0.5]])
    ]  # fmt: skip


def test_pictures_of_another_size_are_told_of(tmp_path):
    content = make_content(tmp_path, NAMES)
    assert "are resized" not in Page(render(content)).text
    table = content.data.manifest.table
    table.loc[table.index[:2], ["width", "height"]] = 100
    kept = (table["status"] == "kept").sum()
    told = f"2 of {kept} pictures are not 48x48 pixels (100x100); they are resized as the served"
    assert told in Page(render(content)).text
