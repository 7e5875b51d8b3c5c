import pytest

from emotion_pipeline.components.image_findings.findings import Kind
from emotion_pipeline.components.image_findings.policies import DEFAULT_POLICIES, check_policies


def test_every_kind_has_a_default():
    assert list(DEFAULT_POLICIES) == [kind.value for kind in Kind]


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


def test_defaults_drop_leaks_and_report_the_rest():
    assert {kind for kind, policy in DEFAULT_POLICIES.items() if policy == "drop"} == {
        "cross_split_copies",
        "cross_split_near_copies",
    }
    assert check_policies({"near_copies": "fail"})["near_copies"] == "fail"
