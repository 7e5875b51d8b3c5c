"""Runs the pipeline on this machine."""

import contextlib
import logging
import pathlib
import time
from collections.abc import Iterator

from tfx import v1 as tfx

from components.progress import format_secs, report
from pipeline.configs import PipelineConfig
from pipeline.pipeline import PIPELINE_NAME, create_pipeline
from pipeline.run_records import ComponentRun, latest_run
from pipeline.summary import RunSummary, summarize

METADATA_FILE = "metadata.sqlite"


def run(config: PipelineConfig) -> RunSummary:
    """Runs the pipeline component by component, with ML Metadata in SQLite under the root.

    Components that an earlier run with the same data, settings and code has finished are not
    repeated.

    Args:
      config: The settings; `root` is an absolute path.

    Returns:
      The outcome; what ended the run early is in it, with the traceback in the log.
    """
    root = pathlib.Path(config.root)
    root.mkdir(parents=True, exist_ok=True)
    connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(
        str(root / METADATA_FILE)
    )
    start = time.monotonic()
    error: Exception | None = None
    components: list[ComponentRun] = []
    try:
        pipeline = create_pipeline(config, metadata_connection_config=connection)
        try:
            with _reported_components(len(pipeline.components)):
                tfx.orchestration.LocalDagRunner().run(pipeline)
        finally:
            components = latest_run(connection, PIPELINE_NAME)
    except Exception as caught:  # whatever it is, the outcome is told and the log has the rest
        logging.getLogger(__name__).exception("the run ended early")
        error = caught
    return summarize(config, components, time.monotonic() - start, error)


class _ComponentListener(logging.Handler):
    """Hears from LocalDagRunner's own log lines which component begins and ends."""

    def __init__(self, total: int):
        super().__init__()
        self._total = total
        self._count = 0
        self._start = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == "Component %s is running.":
            self._count += 1
            self._start = time.monotonic()
            report(f"[{self._count:2}/{self._total}] {record.args[0]}")
        elif record.msg == "Component %s is finished.":
            report(f"        {format_secs(time.monotonic() - self._start)}")


@contextlib.contextmanager
def _reported_components(total: int) -> Iterator[None]:
    listener = _ComponentListener(total)
    logger = logging.getLogger("absl")
    logger.addHandler(listener)
    try:
        yield
    finally:
        logger.removeHandler(listener)
