"""The policy of each kind of finding, and where a kind is told beside `kinds.py`."""

import dataclasses
import pathlib

import pytest

from emotion_pipeline.components.image_findings.kinds import Kind, check_policies
from emotion_pipeline.configs import FindingsConfig

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def test_defaults_drop_leaks_and_report_the_rest():
    assert {kind for kind, policy in check_policies({}).items() if policy == "drop"} == {
        "cross_split_copies",
        "cross_split_near_copies",
    }
    assert {"drop", "report"} == set(check_policies({}).values())
    assert check_policies({"near_copies": "fail"})["near_copies"] == "fail"


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ({"copies": "drop"}, "policies: no kind 'copies'; kinds are cross_split_copies, "),
        ({"near_copies": "delete"}, r"policies\['near_copies'\]: no policy 'delete'; use report, "),
    ],
)
def test_refuses_unknown_policies(policies, message):
    with pytest.raises(ValueError, match=message):
        check_policies(policies)


def test_groups_are_counted_unless_each_picture_has_the_fault_by_itself():
    assert Kind.EXACT_COPIES.words == ("group of equal pictures", "groups of equal pictures")
    assert Kind.UNINFORMATIVE.words == ("picture of one gray", "pictures of one gray")
    assert [kind for kind in Kind if kind.is_of_one] == [Kind.UNINFORMATIVE]


@pytest.mark.parametrize("kind", list(Kind))
def test_a_kind_is_its_code_and_is_told_in_a_sentence(kind):
    assert kind == kind.value == kind.name.lower()
    assert kind.heading
    assert kind.meaning.endswith(".")


def test_each_kind_drops_for_a_reason_of_its_own():
    reasons = [kind.reason for kind in Kind]
    assert len(set(reasons)) == len(reasons), "image_ingest/prune_reason.py"


@pytest.mark.parametrize("kind", list(Kind))
def test_a_kind_is_a_setting_with_its_default(kind):
    settings = {field.name: field.default for field in dataclasses.fields(FindingsConfig)}
    assert settings.get(kind.value) == kind.default, (
        f"pipeline/configs.py: FindingsConfig wants {kind.value}: str = Kind.{kind.name}.default"
    )


def test_every_setting_of_a_finding_is_a_kind():
    names = {field.name for field in dataclasses.fields(FindingsConfig)} - {"drift"}
    assert names == {kind.value for kind in Kind}, "FindingsConfig in pipeline/configs.py"


@pytest.mark.parametrize("kind", list(Kind))
def test_the_audit_looks_for_every_kind(kind):
    # By its text: the module imports TFX, and `make check` is to tell.
    source = (REPOSITORY / "components" / "image_findings" / "findings.py").read_text()
    assert f"Kind.{kind.name}: " in source, "image_findings/findings.py: its groups in `audit`"


@pytest.mark.parametrize("kind", list(Kind))
def test_the_docs_name_every_kind(kind):
    table = (REPOSITORY / "docs" / "data-validation.md").read_text()
    assert f"| `{kind.value}` |" in table, "docs/data-validation.md: the table of findings"
