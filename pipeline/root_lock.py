"""A root has one run at a time."""

import contextlib
import pathlib
from collections.abc import Iterator

from emotion_pipeline.components.locks import alone
from emotion_pipeline.components.sources.addresses import is_stored
from emotion_pipeline.configs import PipelineConfig

LOCK_FILE = ".run.lock"

_REMEDY = "Wait for it to end, or give another folder"


@contextlib.contextmanager
def owned_root(config: PipelineConfig) -> Iterator[None]:
    """Holds a run's root, and its artifacts' folder where that lies elsewhere, for one run alone.

    Two runs in one root would have one ML Metadata, one summary and one page. Runs of different roots
    would number their artifacts alike in one folder.

    Raises:
      LockedError: Another run has it; the text says who.
    """
    root = pathlib.Path(config.root)
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            alone(root / LOCK_FILE, f"--root {root}", wait=False, remedy=f"{_REMEDY}.")
        )
        artifacts = pathlib.Path(config.artifacts_path)
        if not is_stored(config.artifacts_path) and not artifacts.is_relative_to(root):
            what = f"artifacts_dir {artifacts}"
            stack.enter_context(
                alone(artifacts / LOCK_FILE, what, wait=False, remedy=f"{_REMEDY}.")
            )
        yield
