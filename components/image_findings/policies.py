"""What is done about a finding: the policies, and the default of each kind."""

from collections.abc import Mapping

REPORT = "report"
DROP = "drop"
FAIL = "fail"
POLICIES = (REPORT, DROP, FAIL)

DEFAULT_POLICIES: dict[str, str] = {
    "cross_split_copies": DROP,
    "cross_split_near_copies": DROP,
    "conflicting_labels": REPORT,
    "conflicting_near_labels": REPORT,
    "exact_copies": REPORT,
    "near_copies": REPORT,
    "uninformative": REPORT,
}
"""Kind of finding -> policy: train pictures that leak into eval are dropped; the rest is reported."""


def check_policies(policies: Mapping[str, str]) -> dict[str, str]:
    """Returns the policy of every kind, `policies` over the defaults.

    Raises:
      ValueError: An unknown kind or policy.
    """
    for kind, policy in policies.items():
        if kind not in DEFAULT_POLICIES:
            raise ValueError(f"policies: no kind {kind!r}; kinds are {', '.join(DEFAULT_POLICIES)}")
        if policy not in POLICIES:
            raise ValueError(f"policies[{kind!r}]: no policy {policy!r}; use {', '.join(POLICIES)}")
    return {**DEFAULT_POLICIES, **policies}
