"""What was found in the data, as lines for the terminal."""

from typing import Any

from emotion_pipeline.components.constants import TRAIN_SPLIT
from emotion_pipeline.components.image_ingest import votes as ingest_votes
from emotion_pipeline.components.image_ingest.manifest import VotesRecord


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
