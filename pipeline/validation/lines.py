"""What was found in the data, as lines for the terminal."""

from collections.abc import Mapping
from typing import Any

from emotion_pipeline.components.constants import TRAIN_SPLIT
from emotion_pipeline.components.counted import first_few
from emotion_pipeline.components.image_findings.kinds import Kind
from emotion_pipeline.components.image_ingest import votes as ingest_votes
from emotion_pipeline.components.image_ingest.manifest import VotesRecord
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason
from emotion_pipeline.components.run_report.text import visible
from emotion_pipeline.components.run_report.verdict import WORSE

_COPIES = {PruneReason.REDUNDANT_TREE, *(kind.reason for kind in Kind)}


def image_lines(images: dict[str, Any]) -> list[str]:
    """Returns a line for each split with files: found, kept, and pruned with the reasons."""
    lines = []
    for split, counts in images.items():
        if counts["found"]:
            reasons = ", ".join(f"{n} {why}" for why, n in counts["pruned_by_reason"].items())
            lines.append(
                f"{split:8} {counts['found']:6} files found, {counts['kept']} kept, "
                f"{counts['pruned']} pruned" + (f" ({reasons})" if reasons else "")
            )
    return lines


def without_copies(pruned: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Returns what `paths_by_reason` does but for copies.

    The findings tell of these, and an inner tree repeats files by the thousand.
    """
    return {reason: paths for reason, paths in pruned.items() if reason not in _COPIES}


def pruned_lines(pruned: Mapping[str, list[str]]) -> list[str]:
    """Returns a line for each reason why files are not used, copies apart, with the first of them."""
    return [
        f"{reason}: {visible(first_few(paths))}" for reason, paths in without_copies(pruned).items()
    ]


def votes_lines(votes: dict[str, Any]) -> list[str]:
    """Returns what became of the file of votes, and how often it agrees with the folders."""
    if not votes:
        return []
    record = {key: value for key, value in votes.items() if key != "folder_agreement"}
    lines = ["", *ingest_votes.votes_lines(VotesRecord(**record))]
    agreement = votes["folder_agreement"]
    lines.append(f"{'folder = most votes':24}" + "".join(f"{split:>8}" for split in agreement))
    for label in sorted({label for found in agreement.values() for label in found["by_class"]}):
        lines.append(_agreement_line(label, [f["by_class"].get(label) for f in agreement.values()]))
    lines.append(_agreement_line("all", list(agreement.values())))
    return lines


def _agreement_line(name: str, found: list[dict[str, Any] | None]) -> str:
    shares = [one["agreement"] if one else None for one in found]
    texts = ("-" if share is None else f"{share:.3f}" for share in shares)
    return f"{name:24}" + "".join(f"{text:>8}" for text in texts)


def finding_lines(findings: list[dict[str, Any]], images: dict[str, Any]) -> list[str]:
    """Returns a table of the findings that found something; no line where none did.

    Args:
      findings: As `findings.json` has them.
      images: Counts by split, of which the audit's share is told.
    """
    found = [finding for finding in findings if finding["groups"]]
    lines = ["", f"{'finding':24} groups  files  policy"] if found else []
    for finding in found:
        dropped = f", {finding['dropped']} dropped from train" if finding["dropped"] else ""
        lines.append(
            f"{finding['kind']:24} {finding['groups']:6} {finding['images']:6}  "
            f"{finding['policy']}{dropped}"
        )
    kinds = {finding["kind"] for finding in found}
    if any(kind in kinds and kinds.intersection(worse) for kind, worse in WORSE.items()):
        lines.append("a group may be of several kinds")
    dropped_in_all = sum(finding["dropped"] for finding in findings)
    if dropped_in_all:
        total = dropped_in_all + images[TRAIN_SPLIT]["kept"]
        lines.append(
            f"the audit drops {dropped_in_all} of {total} train pictures "
            f"({dropped_in_all / total:.1%})"
        )
    return lines


def drift_lines(drift: list[dict[str, Any]]) -> list[str]:
    """Returns a table of the distances of each comparison."""
    lines = []
    for comparison in drift:
        lines.append("")
        one, other = comparison["images"]
        if not comparison["compared"]:
            lines.append(
                f"{comparison['comparison']}: not compared, too few images ({one} and {other})"
            )
            continue
        lines.append(f"{comparison['comparison']:24} distance  threshold  chance")
        for measured in comparison["measurements"]:
            lines.append(
                f"{measured['feature']:24} {measured['value']:8.4f} {measured['threshold']:10.4f} "
                f"{measured['chance']:7.4f}" + ("  exceeded" if measured["exceeded"] else "")
            )
    return lines
