"""Finds the statistics of an earlier run."""

import pathlib

from emotion_pipeline.components.constants import SPLITS

_STATISTICS = "artifacts/StatisticsGen/statistics"


def find_statistics(against: str) -> str:
    """Returns where the statistics lie that the user named.

    Args:
      against: The root of a run, of which the latest complete statistics are taken; else a folder or
        file of statistics, which is returned as it is, as is the empty string.
    """
    if not against:
        return ""
    runs = pathlib.Path(against) / _STATISTICS
    complete = [
        folder
        for folder in (runs.iterdir() if runs.is_dir() else ())
        if all((folder / f"Split-{split}").is_dir() for split in SPLITS)
    ]
    return str(max(complete, key=lambda folder: int(folder.name))) if complete else against
