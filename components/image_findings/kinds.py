"""The kinds of findings: all that is told of each, and what is done about it."""

import enum
from collections.abc import Mapping

from emotion_pipeline.components.image_ingest.prune_reason import PruneReason

REPORT = "report"
DROP = "drop"
FAIL = "fail"
POLICIES = (REPORT, DROP, FAIL)


class Kind(str, enum.Enum):
    """A kind of finding.

    Attributes:
      reason: The code of the rows that it drops.
      default: Its policy where none is set: train pictures that leak into eval are dropped, the rest is
        reported.
      heading: Of it on a run's page.
      meaning: What it is, in a sentence or two below the heading.
      pictures: What is counted, in the plural, as at the terminal: pictures, or what a group is of.
      is_of_one: Whether each picture has the fault by itself; else several share it, and groups are counted.
    """

    reason: PruneReason
    default: str
    heading: str
    meaning: str
    pictures: str
    is_of_one: bool

    def __new__(
        cls,
        code: str,
        reason: PruneReason,
        default: str,
        heading: str,
        meaning: str,
        pictures: str,
        is_of_one: bool = False,
    ) -> "Kind":
        """Makes a member whose value is `code`."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.reason = reason
        member.default = default
        member.heading = heading
        member.meaning = meaning
        member.pictures = pictures
        member.is_of_one = is_of_one
        return member

    CROSS_SPLIT_COPIES = (
        "cross_split_copies",
        PruneReason.CROSS_SPLIT_COPY,
        DROP,
        "Copies across the splits",
        "The same pixels in two splits: the model is tested on what it has learnt by heart.",
        "equal pictures across the splits",
    )
    CROSS_SPLIT_NEAR_COPIES = (
        "cross_split_near_copies",
        PruneReason.CROSS_SPLIT_NEAR_COPY,
        DROP,
        "Near copies across the splits",
        "Nearly the same picture in two splits.",
        "nearly equal pictures across the splits",
    )
    CONFLICTING_LABELS = (
        "conflicting_labels",
        PruneReason.CONFLICTING_LABEL,
        REPORT,
        "Conflicting labels",
        "The same pixels in two classes: at least one label is wrong.",
        "equal pictures in different classes",
    )
    CONFLICTING_NEAR_LABELS = (
        "conflicting_near_labels",
        PruneReason.CONFLICTING_NEAR_LABEL,
        REPORT,
        "Conflicting labels of near copies",
        "Nearly the same picture in two classes.",
        "nearly equal pictures in different classes",
    )
    EXACT_COPIES = (
        "exact_copies",
        PruneReason.EXACT_COPY,
        REPORT,
        "Exact copies",
        "The same pixels in more than one file.",
        "equal pictures",
    )
    NEAR_COPIES = (
        "near_copies",
        PruneReason.NEAR_COPY,
        REPORT,
        "Near copies",
        "Nearly the same picture in more than one file.",
        "nearly equal pictures",
    )
    UNINFORMATIVE = (
        "uninformative",
        PruneReason.UNINFORMATIVE,
        REPORT,
        "Pictures of one gray",
        "No detail in them, whatever the gray: every pixel is the same, or all but.",
        "pictures of one gray",
        True,
    )

    @property
    def words(self) -> tuple[str, str]:
        """What is counted, as one and as many.

        Example:
          >>> Kind.EXACT_COPIES.words, Kind.UNINFORMATIVE.words
          (('group of equal pictures', 'groups of equal pictures'), \
('picture of one gray', 'pictures of one gray'))
        """
        if self.is_of_one:
            return self.pictures.replace("pictures", "picture"), self.pictures
        return f"group of {self.pictures}", f"groups of {self.pictures}"


def check_policies(policies: Mapping[str, str]) -> dict[str, str]:
    """Returns the policy of every kind, `policies` over the defaults.

    Raises:
      ValueError: An unknown kind or policy.
    """
    defaults = {kind.value: kind.default for kind in Kind}
    for kind, policy in policies.items():
        if kind not in defaults:
            raise ValueError(f"policies: no kind {kind!r}; kinds are {', '.join(defaults)}")
        if policy not in POLICIES:
            raise ValueError(f"policies[{kind!r}]: no policy {policy!r}; use {', '.join(POLICIES)}")
    return {**defaults, **policies}
