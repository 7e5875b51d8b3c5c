"""A kind of finding is told in several places; here is what each must have of it."""

import dataclasses
import pathlib

import pytest

from emotion_pipeline.components import image_findings
from emotion_pipeline.components.image_findings.findings import Kind
from emotion_pipeline.components.image_findings.policies import DEFAULT_POLICIES
from emotion_pipeline.components.run_report.data_view import _FINDINGS
from emotion_pipeline.components.run_report.verdict import _FINDING_WORDS
from emotion_pipeline.configs import FindingsConfig

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def test_policies_have_every_kind():
    assert set(DEFAULT_POLICIES) == {kind.value for kind in Kind}, "image_findings/policies.py"


def test_settings_have_every_kind():
    names = {field.name for field in dataclasses.fields(FindingsConfig)}
    assert names - {"drift"} == set(DEFAULT_POLICIES), "FindingsConfig in pipeline/configs.py"


def test_the_page_has_a_text_for_every_kind():
    assert set(_FINDINGS) == set(Kind), "run_report/data_view.py"
    assert set(_FINDING_WORDS) == set(Kind), "run_report/verdict.py"


@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_counted_is_what_the_words_say(kind):
    one, many = _FINDING_WORDS[kind]
    assert one.startswith("group of ") == many.startswith("groups of ") == (not kind.is_of_one)


def test_each_kind_drops_for_a_reason_of_its_own():
    reasons = [kind.reason for kind in Kind]
    assert len(set(reasons)) == len(reasons), "image_ingest/prune_reason.py"


@pytest.mark.parametrize("kind", list(Kind))
def test_the_docs_name_every_kind(kind):
    assert kind.value in (image_findings.__doc__ or ""), "image_findings/__init__.py"
    table = (REPOSITORY / "docs" / "data-validation.md").read_text()
    assert f"| `{kind.value}` |" in table, "docs/data-validation.md"
