import base64
import dataclasses
import hashlib
import html.parser
import re

import numpy as np
import pandas as pd
import pytest

from emotion_pipeline.components.image_findings.findings import Finding
from emotion_pipeline.components.image_findings.kinds import Kind
from emotion_pipeline.components.image_ingest.manifest import PRUNED, make_table
from emotion_pipeline.components.run_report import model_view
from emotion_pipeline.components.run_report.content import DataContent, Level, ReportContent
from emotion_pipeline.components.run_report.intervals import bootstrap
from emotion_pipeline.components.run_report.mistakes import MistakeMap, find_mistakes
from emotion_pipeline.components.run_report.page import (
    place_report,
    render,
    write_card,
    write_report,
)
from emotion_pipeline.components.run_report.settings_view import flatten
from emotion_pipeline.components.run_report.text import visible
from tests.components.run_report.contents import make_content, make_data, make_manifest, row

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
SECTIONS = [
    "verdict", "changes", "curves", "classes", "confusion", "slices", "calibration", "mistakes", "uses",
    "anomalies", "counts", "findings", "drift", "statistics", "sheets", "copies", "run",
]  # fmt: skip


class Page(html.parser.HTMLParser):
    """What a browser would find in a page."""

    VOID = {"meta", "img", "br", "link", "input", "wbr"}

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
        if "data-root" in attributes:
            continue  # a link to a file beside the page; nothing is loaded from it
        for name in ("src", "href", "xlink:href", "srcset", "action", "poster", "data"):
            if name in attributes:
                assert attributes[name].startswith(allowed), (tag, name, attributes[name])
    for target in re.findall(r"url\(([^)]*)\)", text):
        assert target.startswith("#"), target
    assert "@import" not in text
    (policy,) = [one for one in page.all("meta") if "http-equiv" in one]
    assert policy["content"].startswith("default-src 'none'")
    # The one script that is allowed is the one that is there.
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["content"].endswith(f"script-src 'sha256-{digest}'")
    assert not any("loading" in one for one in page.all("img"))


def test_links_lead_to_their_sections_and_no_id_comes_twice(page, text):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [one["href"][1:] for one in page.all("a") if "data-root" not in one]
    assert set(links) <= set(ids)
    sections = [one["id"] for one in page.all("section")]
    assert sections == SECTIONS
    assert set(sections) <= set(links)
    assert set(re.findall(r'xlink:href="#([^"]+)"|url\(#([^)]+)\)', text)) <= {
        pair for one in ids for pair in ((one, ""), ("", one))
    }


def test_pictures_have_words_and_tables_have_headers(page, text):
    assert page.all("img")
    assert all(one["alt"] for one in page.all("img"))
    # Words that stand below the picture already would be read out twice.
    figures = re.findall(
        r'<figure><img [^>]*alt="([^"]*)".*?<figcaption>(.*?)</figcaption>', text, re.DOTALL
    )
    assert figures
    for alternative, caption in figures:
        assert alternative != re.sub("<[^>]*>", "", caption).strip()
    assert [one for one in page.all("meta") if one.get("name") == "description" and one["content"]]
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
    # Without its temperature of 0.5 it would say 0.6796: of 0.9, 0.05 and 0.05 the square roots.
    assert "temperature is 0.500, fitted on 1,400 train pictures that were kept out" in page.text
    assert "calibration error 0.1537 without it, 0.0667 with it" in page.text
    assert re.search(r"angry 40 1\.000 0\.750", page.text)
    assert "at most 0 below the blessed model's 0.8000 -0.0500 failed" in page.text
    assert "always answering angry would be right in 0.333, chance in 0.333" in page.text
    # The last class is either the label or the other likely answer.
    assert "angry taken for happy : 25.0 % of angry , 10 images" in page.text
    assert re.search(r"angry 75 % 30 0 % 0 25 % 10", page.text)
    assert "angry 10 of 40 wrong, taken for happy (10)" in page.text
    assert "Taken up again after epoch 1." in page.text


def test_every_pruned_file_has_its_reason(page):
    assert "ends before its picture does (truncated) train/ broken.jpg" in page.text


def test_of_many_pruned_files_the_first_are_named(tmp_path):
    manifest = make_manifest(tmp_path, NAMES, 3)
    rows = [row(f"train/{n}.png", "train", NAMES[0], "", PRUNED, "corrupt") for n in range(1007)]
    table = pd.concat([manifest.table, make_table(rows)], ignore_index=True)
    data = DataContent(dataclasses.replace(manifest, table=table))
    text = Page(render(ReportContent("A page", "Clean", Level.GOOD, data))).text
    named = "train/0.png, train/1.png, train/10.png, train/100.png, train/1000.png and 1,002 more"
    assert f"(corrupt) {named}" in text.replace("/ ", "/")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"balance": "translate"}, "measured on the balanced images, by"),
        (
            {"balance": "none", "train": {"flip": True, "dropout_steps": [[0, 0.0], [0.5, 0.5]]}},
            "measured with dropout, on the augmented images, by",
        ),
        (
            {"balance": "translate", "train": {"zoom": 0.1, "dropout_steps": [[0, 0.0]]}},
            "measured on the balanced and augmented images, by",
        ),
        ({"balance": "none"}, "measured by weights that still change."),
    ],
)
def test_what_the_train_curve_is_measured_under_is_what_the_settings_say(settings, told, tmp_path):
    content = make_content(tmp_path, NAMES)
    run = dataclasses.replace(content.run, settings=settings)
    assert told in Page(render(dataclasses.replace(content, run=run))).text


def answering(content, predicted):
    """The content with a model that gives these answers to pictures of each class in turn."""
    predictions = content.model.predictions
    probabilities = np.full_like(predictions.probabilities, 0.05)
    probabilities[np.arange(len(probabilities)), predicted] = 0.9
    predictions = dataclasses.replace(predictions, probabilities=probabilities)
    return dataclasses.replace(
        content, model=dataclasses.replace(content.model, predictions=predictions)
    )


def test_where_all_recalls_are_alike_no_class_is_the_weakest(tmp_path):
    content = make_content(tmp_path, NAMES)
    right = answering(content, content.model.predictions.labels)
    text = Page(render(right)).text
    assert "Weakest class none recall 1.000 in each" in text
    assert "Of the eval pictures it answers 0.0 % wrongly." in text


def test_classes_that_are_as_weak_are_named_together(page, tmp_path):
    assert "Weakest classes angry, disgust recall 0.750 in each" in page.text
    content = make_content(tmp_path, NAMES)
    text = Page(render(answering(content, 2))).text
    assert "Weakest classes angry, disgust recall 0.000 in each" in text
    assert re.search("; of angry, disgust ?, its weakest classes, 100.0 %", text)
    labels = content.model.predictions.labels
    text = Page(render(answering(content, np.where(labels == 0, 2, labels)))).text
    assert "Weakest class angry recall 0.000 of 40 images" in text


def test_a_map_where_no_spot_decides_says_so(tmp_path, monkeypatch):
    content = make_content(tmp_path, NAMES)
    found = find_mistakes(content.model.predictions, content.data.manifest)
    falls = iter((0.3, 0.0))
    explained = [
        dataclasses.replace(
            one,
            pictures=[
                dataclasses.replace(
                    one.pictures[0], why=MistakeMap("data:image/jpeg;base64,", fall)
                ),
                *one.pictures[1:],
            ],
        )
        for one, fall in zip(found, falls, strict=True)
    ]
    monkeypatch.setattr(model_view, "find_mistakes", lambda *_: explained)
    text = Page(render(content)).text
    assert "a covered spot takes up to 0.300" in text
    assert "no spot alone decides: covered, it takes at most 0.000" in text
    assert "The colours are as strong where no spot alone decides" in text


def test_what_changed_is_told_class_by_class(page):
    assert "Against version 7, the model to beat: better" in page.text
    assert "Since run 3 of 29 Nov 2026, 10:00 UTC" in page.text
    assert "train.epochs 8 2" in page.text
    assert "seed not there 1" in page.text
    assert "train: 8 to 9 pictures (angry +1)" in page.text
    assert re.search(r"all 120 0\.\d{3} 0\.833", page.text)


def test_the_head_says_which_run_it_is_and_what_is_wrong(page, text):
    assert "<title>A page, 30 Nov 2026, 05:20 UTC: Not blessed</title>" in text
    assert "Not blessed In the data: 1 group of equal pictures" in page.text
    assert 'class="outcome bad"' in text


def test_settings_that_differ_from_the_recipe_come_first(page):
    text = page.text
    differ = text.index("Settings that differ from the recipe fast")
    assert differ < text.index("train.epochs 2 8") < text.index("All settings")
    # Where a run lies is no setting of its own.
    assert text.count("root there") == 1


def test_links_lead_to_the_same_files_from_wherever_the_page_is_put(tmp_path):
    content = make_content(tmp_path / "data", NAMES)
    made = tmp_path / "root" / "artifacts" / "5" / "report.html"
    write_report(content, made, tmp_path / "root")
    for folder in ("reports/4", "."):
        page = tmp_path / "root" / folder / "report.html"
        place_report(made, page, tmp_path / "root")
        found = Page(page.read_text(encoding="utf-8"))
        links = [one["href"] for one in found.all("a") if "data-root" in one]
        assert [link.rpartition("/")[2] for link in links] == ["summary.json", "a%20run.log"]
        resolved = [(page.parent / link).resolve() for link in links]
        assert resolved[0] == tmp_path / "root" / "reports" / "4" / "summary.json"


def test_a_group_is_shown_under_its_worst_kind_alone(tmp_path):
    manifest = make_manifest(tmp_path, NAMES, 3)
    leak = ("eval/angry/0.jpg", "train/angry/0.jpg")
    within = ("train/angry/1.jpg", "train/angry/2.jpg")
    data = dataclasses.replace(
        make_data(manifest),
        findings=[
            Finding(Kind.CROSS_SPLIT_COPIES.value, "drop", (leak,), 1),
            Finding(Kind.EXACT_COPIES.value, "report", (leak, within)),
        ],
    )
    found = Page(render(ReportContent("A page", "Clean", Level.WARNING, data)))
    assert "Copies across the splits 1 groups of equal" in found.text
    assert "several labels: 1 of the groups." in found.text
    # One file in each split is more than one file, though not of a split.
    exact = found.text.split("The same pixels in more than one file.")[1]
    assert "train, angry 1.jpg" in exact
    assert "eval, angry 0.jpg" not in exact.split("Drift")[0]


def test_the_card_says_what_the_model_is_for_and_how_good(tmp_path):
    content = make_content(tmp_path / "data", ["a|b", "c"])
    write_card(content, tmp_path / "card.md")
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert text.startswith("# Model card: A page\n\nNot blessed\n\n- Started: 30 Nov")
    assert "## What it must not be used for" in text
    assert re.search(r"^\| a\\\|b \| 40 \|", text, re.MULTILINE)
    assert "\nThe answers' temperature is 0.500, fitted on 1,400 train pictures" in text
    assert "- `train.epochs`: 2 (8)" in text
    with pytest.raises(ValueError, match=r"content\.model: is None"):
        write_card(dataclasses.replace(content, model=None), tmp_path / "none.md")


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
    assert not {"iframe", "object"} & {tag for tag, _ in found.elements}
    assert len(found.all("script")) == 1
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
    found = Page(render(dataclasses.replace(content, model=None, run=None, changes=None)))
    assert [one["id"] for one in found.all("section")] == [
        "anomalies", "counts", "findings", "drift", "statistics", "sheets", "copies",
    ]  # fmt: skip


def test_what_nobody_looked_for_is_not_said_to_be_absent(tmp_path):
    data = make_data(make_manifest(tmp_path, NAMES, 2))
    bare = dataclasses.replace(
        data, findings=None, anomalies=None, drift=None, statistics={}, copies=(), class_counts={}
    )
    found = Page(render(ReportContent("A page", "Failed", Level.BAD, bare)))
    assert [one["id"] for one in found.all("section")] == ["counts", "sheets"]
    looked = dataclasses.replace(bare, findings=[], anomalies=[])
    text = render(ReportContent("A page", "Clean", Level.GOOD, looked))
    assert "None: both splits fit the schema." in text
    assert "None: no copies, no conflicting labels" in text


def test_a_file_that_is_gone_is_told(tmp_path):
    manifest = make_manifest(tmp_path, NAMES, 2)
    data = make_data(manifest)
    for path in manifest.table["path"]:
        (tmp_path / path).unlink(missing_ok=True)
    text = render(ReportContent("A page", "Clean", Level.GOOD, data))
    assert "file is gone" in text


def test_the_same_content_gives_the_same_page(tmp_path):
    content = make_content(tmp_path, NAMES)
    assert render(content) == render(content)


def test_the_file_is_replaced_whole(tmp_path):
    content = make_content(tmp_path / "data", NAMES)
    target = tmp_path / "new" / "report.html"
    write_report(content, target)
    assert target.read_text(encoding="utf-8") == render(content)
    place_report(target, tmp_path / "copy.html", target.parent)
    assert 'href="new/reports/4/summary.json"' in (tmp_path / "copy.html").read_text()
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
