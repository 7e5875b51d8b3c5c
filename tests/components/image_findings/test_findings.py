import collections
import functools
import pathlib

import pandas as pd
import pytest

from emotion_pipeline.components.image_findings import findings
from emotion_pipeline.components.image_findings.kinds import Kind
from emotion_pipeline.components.image_findings.near_copies import load_pixels
from emotion_pipeline.components.image_ingest.ingest import ingest
from emotion_pipeline.components.image_ingest.manifest import counts_by_split, kept_rows, make_table
from emotion_pipeline.components.sources import sample_data
from tests.components.image_findings.planted import plant
from tests.components.image_ingest.test_manifest import row
from tests.components.pictures import write_picture


def audit_folder(root: pathlib.Path, policies=None):
    return findings.audit(ingest(root), functools.partial(load_pixels, root), policies)


def counts(found: list[findings.Finding]) -> dict[str, tuple[int, int]]:
    return {finding.kind: (len(finding.groups), finding.images) for finding in found}


@pytest.mark.parametrize("seed", [0, 1])
def test_finds_every_planted_fault_and_nothing_else(tmp_path, seed):
    planted = plant(tmp_path / "corpus", seed)
    table, found = audit_folder(tmp_path / "corpus")
    assert counts(found) == planted.findings
    assert found[-1].causes == planted.causes
    assert not any(one.causes for one in found[:-1])
    by_reason = collections.Counter(table["reason"])
    by_reason.pop("")
    assert by_reason == {
        **planted.pruned,
        "cross_split_copy": planted.findings["cross_split_copies"][0],
        "cross_split_near_copy": planted.findings["cross_split_near_copies"][0],
    }


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_finds_nothing_in_clean_drawn_data(tmp_path, seed):
    sample_data.draw_sample(tmp_path / "clean", seed=seed)
    table, found = audit_folder(tmp_path / "clean")
    assert counts(found) == {kind.value: (0, 0) for kind in Kind}
    assert len(kept_rows(table)) == sample_data.DEFAULT_IMAGES


def copies_table() -> pd.DataFrame:
    """Pictures a (train happy twice, train sad), b (train and eval), c (eval twice), d (once)."""
    places = {
        "a1": ("train", "happy"),
        "a2": ("train", "happy"),
        "a3": ("train", "sad"),
        "b1": ("train", "happy"),
        "b2": ("eval", "happy"),
        "c1": ("eval", "sad"),
        "c2": ("eval", "sad"),
        "d1": ("train", "sad"),
    }
    rows = []
    for name, (split, label) in places.items():
        content = {
            "label": label,
            "pixel_hash": name[0],
            "perceptual_hash": f"{ord(name[0]) << 32:016x}",
        }
        rows.append({**row(f"{name}.jpg", split), **content, "entropy": 7.0})
    return make_table(rows)


def no_pixels(path):
    raise AssertionError(f"{path} was read")


@pytest.mark.parametrize(
    ("kind", "groups", "dropped"),
    [
        ("exact_copies", [("a1", "a2", "a3"), ("b1", "b2"), ("c1", "c2")], {"a2"}),
        ("cross_split_copies", [("b1", "b2")], {"b1"}),
        ("conflicting_labels", [("a1", "a2", "a3")], {"a1", "a2", "a3"}),
        ("near_copies", [], set()),
        ("uninformative", [], set()),
    ],
)
def test_each_policy_drops_from_train_only(monkeypatch, kind, groups, dropped):
    monkeypatch.setattr(findings, "find_near_copies", lambda kept, load: [])
    table = copies_table()
    policies = dict.fromkeys(Kind, "report")

    def run(policy):
        pruned, found = findings.audit(table, no_pixels, {**policies, kind: policy})
        [finding] = [finding for finding in found if finding.kind == kind]
        names = tuple(
            tuple(path.removesuffix(".jpg") for path in group) for group in finding.groups
        )
        assert list(names) == groups
        assert finding.policy == policy
        gone = set(pruned.loc[pruned["status"] == "pruned", "path"].str.removesuffix(".jpg"))
        assert finding.dropped == len(gone)
        return gone, set(pruned["reason"]) - {""}

    assert run("report") == (set(), set())
    assert run("fail") == (set(), set())
    gone, reasons = run("drop")
    assert gone == dropped
    assert reasons == ({Kind(kind).reason.value} if dropped else set())


def test_a_file_is_dropped_once_with_the_first_reason(monkeypatch):
    monkeypatch.setattr(findings, "find_near_copies", lambda kept, load: [["a", "b"]])
    policies = dict.fromkeys(Kind, "drop")
    pruned, found = findings.audit(copies_table(), no_pixels, policies)
    assert {finding.kind: finding.dropped for finding in found} == {
        "cross_split_copies": 1,
        "cross_split_near_copies": 3,
        "conflicting_labels": 0,
        "conflicting_near_labels": 0,
        "exact_copies": 0,
        "near_copies": 0,
        "uninformative": 0,
    }
    assert counts_by_split(pruned)["train"]["pruned_by_reason"] == {
        "cross_split_copy": 1,
        "cross_split_near_copy": 3,
    }


def test_pruned_files_are_not_looked_at(monkeypatch):
    monkeypatch.setattr(findings, "find_near_copies", lambda kept, load: [])
    table = copies_table()
    table.loc[table["path"] == "b2.jpg", ["status", "reason"]] = ["pruned", "truncated"]
    _, found = findings.audit(table, no_pixels)
    assert counts(found)["cross_split_copies"] == (0, 0)


def test_come_back_from_their_file_as_they_were(tmp_path):
    written = [
        findings.Finding("exact_copies", "report", (("a", "b"), ("c", "улыбка"))),
        findings.Finding("uninformative", "drop", (("d",),), dropped=1, causes={"constant": 1}),
    ]
    findings.write_findings(written, tmp_path / "uri")
    assert findings.read_findings(tmp_path / "uri") == written


def test_json_has_counts_examples_and_every_file():
    groups = tuple((f"{number}a", f"{number}b") for number in range(7))
    assert findings.Finding("near_copies", "report", groups).to_json() == {
        "kind": "near_copies",
        "policy": "report",
        "groups": 7,
        "images": 14,
        "dropped": 0,
        "causes": {},
        "examples": [list(group) for group in groups[:5]],
        "files": [list(group) for group in groups],
    }


def test_a_train_picture_that_is_in_test_is_dropped_and_one_of_eval_stays(tmp_path):
    for split, label, seed in (
        *(("train", label, seed) for label in ("happy", "sad") for seed in (1, 2)),
        *(("validation", label, 3) for label in ("happy", "sad")),
        *(("test", "happy", seed) for seed in (1, 3)),
    ):
        offset = 0 if label == "happy" else 50
        write_picture(tmp_path / split / label / f"{seed}.jpg", seed + offset)
    table = ingest(tmp_path)
    after, found = audit_folder(tmp_path)
    copies = next(one for one in found if one.kind == "cross_split_copies")
    assert copies.groups == (
        ("test/happy/1.jpg", "train/happy/1.jpg"),
        ("test/happy/3.jpg", "validation/happy/3.jpg"),
    )
    assert copies.dropped == 1
    kept = set(kept_rows(after)["path"])
    assert set(table["path"]) - kept == {"train/happy/1.jpg"}
