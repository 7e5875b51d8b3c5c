"""`emotion validate` and `emotion schema` from folders to JSON, in this process."""

import json
import pathlib
import re
import shutil

import cv2
import numpy as np
import pytest

from emotion_pipeline.cli import main
from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.components.counted import first_few
from emotion_pipeline.components.sources.sample_data import draw_sample
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.outcome.conclude import Outcome
from emotion_pipeline.validation import validate as validation
from tests.components.image_findings.planted import plant
from tests.components.pictures import encode, snapshot, write_picture

pytestmark = pytest.mark.slow


def validate(source: pathlib.Path, root: pathlib.Path, *arguments: object) -> tuple[int, dict]:
    """Runs `emotion validate` and returns its exit status and its JSON."""
    target = root / "validation.json"
    given = ["validate", source, "--root", root, "--json", target, "--verbose", *arguments]
    status = main([str(argument) for argument in given])
    return status, json.loads(target.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """A drawn data set, the root of its validation, and how that ended."""
    folder = tmp_path_factory.mktemp("clean")
    draw_sample(folder / "data", images=700, seed=1)
    arguments = ("--report", folder / "page.html")
    return folder / "data", folder / "root", validate(folder / "data", folder / "root", *arguments)


def test_clean_drawn_data_has_no_finding_and_no_anomaly(clean):
    _, root, (status, outcome) = clean
    assert (status, outcome["status"], outcome["error"]) == (0, "clean", None)
    assert outcome["anomalies"] == []
    assert {finding["kind"]: finding["groups"] for finding in outcome["findings"]} == dict.fromkeys(
        ("cross_split_copies", "cross_split_near_copies", "conflicting_labels",
         "conflicting_near_labels", "exact_copies", "near_copies", "uninformative"), 0
    )  # fmt: skip
    assert list(outcome["class_counts"]) == list(LABELS)
    for split in ("train", "eval"):
        images = outcome["images"][split]
        assert images["found"] == images["kept"] + images["pruned"]
        kept = sum(counts[split] for counts in outcome["class_counts"].values())
        assert images["kept"] == kept
    assert list(outcome["artifacts"]) == ["manifest", "findings", "statistics", "drift"]
    assert all(pathlib.Path(uri).is_dir() for uri in outcome["artifacts"].values())
    assert [one["comparison"] for one in outcome["drift"]] == ["train_vs_eval"]
    page = (root.parent / "page.html").read_text(encoding="utf-8")
    assert 'class="outcome good">\n<p class="what">Clean: no anomalies, no findings</p>' in page
    assert "None: both splits fit the schema." in page
    assert "None: no copies, no conflicting labels, no picture of one gray." in page
    measured = {one["feature"] for one in outcome["drift"][0]["measurements"]}
    assert measured == {"label", "brightness", "contrast", "sharpness", "entropy", "size_bytes"}


def test_planted_faults_are_found_in_their_numbers_and_nothing_is_changed(tmp_path, capfd):
    planted = plant(tmp_path / "corpus")
    before = snapshot(tmp_path / "corpus")
    page = tmp_path / "pages" / "corpus.html"
    status, outcome = validate(
        *(tmp_path / "corpus", tmp_path / "root"),
        *("--set", "findings.conflicting_labels=fail", "--report", page),
    )
    assert snapshot(tmp_path / "corpus") == before
    found = {one["kind"]: (one["groups"], one["images"]) for one in outcome["findings"]}
    assert found == planted.findings
    for finding in outcome["findings"]:
        assert finding["examples"] == finding["files"][:5]
        assert sum(map(len, finding["files"])) == finding["images"]
    pruned: dict[str, int] = {}
    for counts in outcome["images"].values():
        assert counts["found"] == counts["kept"] + counts["pruned"]
        for reason, count in counts["pruned_by_reason"].items():
            pruned[reason] = pruned.get(reason, 0) + count
    assert pruned == {
        **planted.pruned,
        "cross_split_copy": planted.findings["cross_split_copies"][0],
        "cross_split_near_copy": planted.findings["cross_split_near_copies"][0],
    }
    assert {reason: len(paths) for reason, paths in outcome["pruned"].items()} == pruned
    # The policy `fail` stops it, and says what it is about.
    assert status == 4
    [forbidden] = [one for one in outcome["anomalies"] if one["feature"] == "conflicting_labels"]
    assert forbidden["short_description"] == "3 groups, 6 files"
    assert len(forbidden["files"]) == 6
    told = capfd.readouterr().out
    assert "conflicting_labels: 3 groups, 6 files" in told
    assert f"report: {page}" in told
    # Which files are broken, and of the copies that findings tell of their numbers alone.
    lines = told.splitlines()
    for reason in planted.pruned:
        if reason != "redundant_tree":
            assert f"{reason}: {first_few(outcome['pruned'][reason])}" in lines
    assert not [one for one in lines if one.startswith(("cross_split_copy:", "redundant_tree:"))]
    assert "a group may be of several kinds" in lines
    _check_page(page.read_text(encoding="utf-8"), tmp_path / "corpus", outcome)


def _check_page(page: str, source: pathlib.Path, outcome: dict) -> None:
    """The page says what the JSON says, and shows the pictures without asking for any file."""
    text = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    assert f"Validation of {source}" in text
    number = len(outcome["anomalies"])
    assert f'class="outcome bad">\n<p class="what">{number} anomal' in page
    leaks = {one["kind"]: one["groups"] for one in outcome["findings"]}
    count = leaks["cross_split_copies"]
    assert f"In the data: {count} group{'s' * (count > 1)} of equal pictures across" in text
    for one in outcome["anomalies"]:
        assert f"{one['feature']} : {one['short_description']}" in text
        assert one["remedy"] in text
    for split in ("train", "eval"):
        counts = outcome["images"][split]
        assert (
            f"Images in {split} {counts['kept']:,} {counts['pruned']:,} of {counts['found']:,} "
            "files pruned" in text
        )
        for reason, count in counts["pruned_by_reason"].items():
            assert re.search(rf"{split} {count:,} [^()]*\({reason}\)", text), reason
    for label, kept in outcome["class_counts"].items():
        row = re.search(rf"{label} ([\d,]+) ([\d,]+) ([\d,]+) ([\d,]+) ", text)
        assert row is not None
        assert [int(row[index].replace(",", "")) for index in (2, 4)] == list(kept.values())
    for one in outcome["findings"]:
        row = f"{one['groups']:,} {one['images']:,} {one['policy']} {one['dropped']:,}"
        assert row in text, one["kind"]
        for path in one["examples"][0]:
            assert f'title="{path}"' in page
    assert "train against eval" in text
    for measured in outcome["drift"][0]["measurements"]:
        assert f"{measured['value']:.4f} {measured['threshold']:.4f}" in text
    sources = set(re.findall(r'(?:src|href)="([^"#]{1,5})', page))
    assert sources == {"data:"}
    for section in ("statistics", "sheets"):
        assert f'<section id="{section}"' in page
    assert "<svg" in page


def test_pictures_made_brighter_differ_from_the_run_before(clean, tmp_path):
    data, root, _ = clean
    shutil.copytree(data, tmp_path / "bright")
    for file in (tmp_path / "bright").rglob("*.jpg"):
        pixels = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
        file.write_bytes(encode(cv2.add(pixels, 25)))
    status, outcome = validate(tmp_path / "bright", tmp_path / "root", "--against", root)
    assert (status, outcome["status"]) == (4, "anomalies")
    anomalies = {(one["split"], one["feature"]) for one in outcome["anomalies"]}
    assert {("train_vs_baseline", "brightness"), ("eval_vs_baseline", "brightness")} <= anomalies
    assert not {one for one in anomalies if one[0] == "train_vs_eval" or one[1] == "label"}

    # Sent to a server, the same pictures are told from the training data without their labels.
    status, outcome = validate(tmp_path / "bright", root, "--requests", "--against", root)
    assert status == 4
    assert outcome["images"]["requests"]["found"] == 1400
    assert ("train_vs_requests", "brightness") in {
        (one["split"], one["feature"]) for one in outcome["anomalies"]
    }
    assert validate(data, root, "--requests", "--against", root)[0] == 0


def test_a_proposed_schema_fits_its_data_and_knows_its_classes(tmp_path, capfd):
    data = tmp_path / "data"
    draw_sample(data, images=300, seed=3)
    for split in ("train", "validation"):
        (data / "images" / split / "disgust").rename(data / "images" / split / "bored")
    root, proposed = tmp_path / "root", tmp_path / "schema.pbtxt"
    status, outcome = validate(data, root)
    assert status == 4
    assert {one["feature"] for one in outcome["anomalies"]} == {"label"}
    infer = ["schema", "infer", str(data), "--root", str(root), "--verbose"]
    assert main([*infer, "--out", str(proposed)]) == 0
    assert validate(data, root, "--schema", proposed)[0] == 0
    # Classes that are named are the model's: a run would stop at those that they lack.
    named = ("--schema", proposed, "--set", "labels=[cat, dog]")
    status, outcome = validate(data, root, *named)
    assert (status, outcome["status"]) == (1, "failed")
    assert outcome["error"].startswith(f"labels: cat, dog; but the schema {proposed} has angry, ")
    capfd.readouterr()
    assert main(["schema", "diff", "pipeline/schema/schema.pbtxt", str(proposed)]) == 4
    told = capfd.readouterr().out.splitlines()
    assert {"label.values: - disgust", "label.values: + bored"} <= set(told)
    assert main(["schema", "diff", str(proposed), str(proposed)]) == 0
    assert capfd.readouterr().out == "no difference\n"


def test_what_the_ingestion_noted_is_told_once_and_again_by_what_is_taken_over(tmp_path, capfd):
    for split in ("train", "validation", "val"):
        for label in ("happy", "sad"):
            for number in range(2):
                write_picture(
                    tmp_path / "data" / split / label / f"{number}.png",
                    seed=len(f"{split}{label}") * 10 + number,
                )
    note = f"{tmp_path / 'data'}: val/ holds a further split, which is not used"
    for is_cached in (False, True):
        page = tmp_path / "page.html"
        _, outcome = validate(tmp_path / "data", tmp_path / "root", "--report", page)
        assert outcome["components"][0]["cached"] is is_cached
        assert outcome["notes"] == [note]
        written = capfd.readouterr()
        assert (written.out + written.err).splitlines().count(note) == 1
        assert f"<p>{note}.</p>" in page.read_text(encoding="utf-8")
    infer = ["schema", "infer", str(tmp_path / "data"), "--root", str(tmp_path / "root")]
    assert main([*infer, "--out", str(tmp_path / "schema.pbtxt")]) == 0
    written = capfd.readouterr()
    assert (written.out + written.err).splitlines().count(note) == 1


@pytest.mark.parametrize(
    ("source", "arguments", "status", "message"),
    [
        ("empty", [], 1, "empty: empty, no folder and no file in it"),
        ("missing", [], 2, "missing: no such file or folder"),
        ("sample", ["--schema", "{folder}/words"], 1, "words: no schema of TFDV: 1:"),
        ("sample", ["--schema", "{folder}/missing"], 2, "missing: no such file or folder"),
        ("sample", ["--against", "{folder}/empty"], 1, "empty: no statistics there"),
        ("sample", ["--against", "{folder}/words"], 1, "words: no statistics of TFDV"),
        ("sample", ["--against", "{folder}/census"], 1, "statistics of another data set: "),
        ("sample", ["--requests"], 2, "give the run to compare with, as --against RUN"),
        ("sample", ["--set", "findings.copies=drop"], 2, "findings.copies: there is no such"),
        (
            "sample",
            ["--set", "findings.near_copies=hide"],
            2,
            "one of report, drop, fail, got 'hide'",
        ),
    ],
)
def test_errors_are_told_plainly(tmp_path, capfd, source, arguments, status, message):
    from tensorflow_metadata.proto.v0 import statistics_pb2

    (tmp_path / "empty").mkdir()
    (tmp_path / "words").write_text("words, and nothing else")
    census = statistics_pb2.DatasetFeatureStatisticsList()
    census.datasets.add(num_examples=9).features.add(name="age")
    (tmp_path / "census").write_bytes(census.SerializeToString())
    data = source if source == "sample" else tmp_path / source
    given = [one.format(folder=tmp_path) for one in arguments]
    assert main(["validate", str(data), "--root", str(tmp_path / "root"), *given]) == status
    written = capfd.readouterr()
    assert message in written.out + written.err
    assert "Traceback" not in written.out + written.err


def test_a_schema_that_was_edited_is_read_again(clean):
    """The gate's own remedy: widen the schema, and give the same command again."""
    data, root, _ = clean
    from emotion_pipeline.configs import PipelineConfig

    schema = root.parent / "schema.pbtxt"
    text = pathlib.Path(PipelineConfig().schema_path).read_text(encoding="utf-8")
    tight = text.replace("int_domain { min: 48 max: 48 }", "int_domain { min: 40 max: 40 }", 1)
    found = []
    for content in (text, tight, text):
        schema.write_text(content, encoding="utf-8")
        status, outcome = validate(data, root, "--schema", schema)
        found.append((status, {one["feature"] for one in outcome["anomalies"]}))
        # Nothing but the schema has changed: the pictures are not read again.
        cached = {one["id"]: one["cached"] for one in outcome["components"]}
        assert cached["ImageIngest"]
        assert cached["ImageExampleGen"]
    assert found == [(0, set()), (4, {"width"}), (0, set())]


def test_a_validation_says_that_a_run_would_refuse_its_schemas_classes(tmp_path, monkeypatch):
    text = pathlib.Path(PipelineConfig().schema_path).read_text(encoding="utf-8")
    (tmp_path / "schema.pbtxt").write_text(text.replace('"surprise"', '"contempt"'))
    monkeypatch.setattr(validation, "run_until", lambda *_: Outcome([], 0.0, None))
    config = PipelineConfig(root=str(tmp_path), schema=str(tmp_path / "schema.pbtxt"))
    found = validation.validate(config)
    [note] = found.notes
    assert note.startswith("`emotion run` with these settings would stop. labels: angry, ")
    assert "schema.pbtxt has contempt too" in note
    assert note in validation.format_validation(found).splitlines()
    assert validation.validate(PipelineConfig(root=str(tmp_path))).notes == []
