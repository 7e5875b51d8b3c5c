"""Runs the pipeline on this machine."""

import contextlib
import dataclasses
import datetime
import json
import logging
import pathlib
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from emotion_pipeline.components.drift_validator.statistics import check_comparable, load_statistics
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.progress import format_secs, report
from emotion_pipeline.components.records.run_records import ComponentRun, latest_run
from emotion_pipeline.components.run_report.record import RunFacts
from emotion_pipeline.components.served_model import describe_served
from emotion_pipeline.components.sources.addresses import is_stored
from emotion_pipeline.components.sources.resolve import resolve_source
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.engines.beam_steps import job_failure, without_beam_args
from emotion_pipeline.engines.preflight import ready_engine
from emotion_pipeline.outcome.conclude import Outcome, conclude
from emotion_pipeline.outcome.report import leave_interrupted, new_run
from emotion_pipeline.outcome.summary import RunSummary
from emotion_pipeline.pipeline import (
    PIPELINE_NAME,
    PUSHED_MODEL,
    REPORT,
    SOURCES_DIR,
    VALIDATION_END,
    create_pipeline,
)
from emotion_pipeline.pushes import forget_unserved
from emotion_pipeline.root_lock import owned_root
from emotion_pipeline.validation.baseline import find_statistics
from emotion_pipeline.validation.schemas import check_classes, load_schema

METADATA_FILE = "metadata.sqlite"
LOGS_DIR = "logs"

_RUN_ID_PARAMETER = constants.PIPELINE_RUN_ID_PARAMETER_NAME


def run(config: PipelineConfig, started: datetime.datetime | None = None) -> RunSummary:
    """Runs the pipeline component by component, with ML Metadata in SQLite under the root.

    Components that an earlier run with the same data, settings and code has finished are not
    repeated.

    Args:
      config: The settings; `root` is an absolute path.
      started: From when its time counts, with a time zone; now where it is left out.

    Returns:
      The outcome; what ended the run early is in it, with the traceback in the log.

    Raises:
      LockedError: Another run has the root.
    """
    with owned_root(config):
        clear_leavings(pathlib.Path(config.root))
        return _run(config, started)


def _run(config: PipelineConfig, started: datetime.datetime | None) -> RunSummary:
    facts = new_run(config, started)
    try:
        return conclude(facts, config, run_until(config, facts=facts))
    except KeyboardInterrupt:
        leave_interrupted(config)
        raise


def clear_leavings(root: pathlib.Path) -> None:
    """Deletes what a training left that could not write its state to the end, on a full disk say."""
    checkpoints = root / "checkpoints"
    for pattern in ("*/*.part", "*/*/*_temp"):
        for folder in checkpoints.glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)


def run_until(
    config: PipelineConfig, last: str | None = None, facts: RunFacts | None = None
) -> Outcome:
    """Runs the pipeline up to a component, or the whole of it.

    Args:
      config: The settings; `root` is an absolute path.
      last: Id of the last component; None for all.
      facts: Which run this is, for its page; None for one without.

    Returns:
      What ran and what ended it early; no exception of a component gets out.

    Raises:
      LockedError: Another run has the root.
    """
    with owned_root(config):
        return _run_until(config, last, facts)


def _run_until(config: PipelineConfig, last: str | None, facts: RunFacts | None) -> Outcome:
    root = pathlib.Path(config.root)
    root.mkdir(parents=True, exist_ok=True)
    connection = metadata_connection(root)
    start = time.monotonic()
    error: Exception | None = None
    components: list[ComponentRun] = []
    try:
        check_metadata(root / METADATA_FILE, config.artifacts_path)
        schema = load_schema(config.schema_path)
        # Data are also validated by a schema of their own before anybody thinks of a model's classes.
        if last is None or (last == VALIDATION_END and config.labels != PipelineConfig.labels):
            check_classes(schema, config.labels, config.schema_path)
        if config.against:
            statistics = load_statistics(find_statistics(config.against))
            check_comparable(statistics, schema, config.against)
        # Here and not in ImageIngest alone: what is wrong with the source is said at once, and a copy
        # that somebody deleted is made again for components that are taken over.
        data = str(resolve_source(config.data, root / SOURCES_DIR).root)
        with ready_engine(config.beam, config.artifacts_path, (data,), root / LOGS_DIR) as engine:
            pipeline = create_pipeline(
                dataclasses.replace(config, beam=engine),
                last,
                metadata_connection_config=connection,
            )
            forget_unserved(connection, config.push_path)
            late = {}
            if facts is not None:
                # Part of the cache's key, so that each run has a page of its own.
                late[REPORT] = lambda: {"run": json.dumps(dataclasses.asdict(facts))}
            if config.cache:
                # Not when the graph is made: others may push while this one trains.
                late[PUSHED_MODEL] = lambda: {"served": describe_served(config.push_path)}
            try:
                ReportingDagRunner(late).run(pipeline)
            finally:
                components = latest_run(connection, PIPELINE_NAME)
    except Exception as caught:  # whatever it is, the outcome is told and the log has the rest
        logging.getLogger(__name__).exception("the run ended early")
        error = caught
    return Outcome(components, time.monotonic() - start, error)


def check_metadata(file: pathlib.Path, artifacts: str) -> None:
    """Checks that a root's ML Metadata, where there is one already, is a whole database.

    ML Metadata itself would name a query in place of the file, or read on until it meets the damage. Where
    it begins anew beside outputs, it numbers others like them.

    Raises:
      UserError: It is damaged, or gone while its outputs are there.
    """
    if not file.is_file():
        if not is_stored(artifacts) and any(pathlib.Path(artifacts).glob("*/*/[0-9]*")):
            raise UserError(
                f"{artifacts}: holds outputs of runs that {file} does not know: it is not there. Put it back, or "
                f"move {artifacts} away and give the same command again: every step then runs again"
            )
        return
    try:
        with contextlib.closing(sqlite3.connect(file)) as database:
            found = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:  # no permission, a full disk, ...: what needs it says so
        return
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise UserError(
            f"{file}: is damaged ({' '.join(found.split())}). Put a whole copy in its place, or move it "
            f"and {artifacts} away and give the same command again: every step then runs again"
        )


def metadata_connection(root: pathlib.Path) -> metadata_store_pb2.ConnectionConfig:
    """Returns the connection to a root's ML Metadata."""
    return metadata.sqlite_metadata_connection_config(str(root / METADATA_FILE))


class ReportingDagRunner(LocalDagRunner):
    """TFX's LocalDagRunner, which also tells the user which component runs and how long it took.

    LocalDagRunner says so in log lines alone, and components change the log's level as they run.
    """

    def __init__(self, late: Mapping[str, Callable[[], Mapping[str, str]]] | None = None):
        """Takes what gives execution properties right before a node is launched, by the node's id."""
        super().__init__()
        self._late = late or {}

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options=None) -> None:
        """Runs the nodes in their order, which is topological; partial runs are not supported."""
        if run_options is not None:
            raise ValueError("partial runs are not supported")
        run_id = {_RUN_ID_PARAMETER: datetime.datetime.now().isoformat()}
        runtime_parameter_utils.substitute_runtime_parameter(pipeline, run_id)
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        database = deployment.metadata_connection_config
        connection = getattr(database, database.WhichOneof("connection_config"))
        nodes = [node.pipeline_node for node in pipeline.nodes]
        for number, node in enumerate(nodes, start=1):
            node_id = node.node_info.id
            report(f"[{number:2}/{len(nodes)}] {node_id}")
            start = time.monotonic()
            for key, value in self._late.get(node_id, dict)().items():
                node.parameters.parameters[key].field_value.string_value = value
            executor_spec, operators = without_beam_args(
                runner_utils.extract_executor_spec(deployment, node_id)
            )
            try:
                launcher.Launcher(
                    pipeline_node=node,
                    mlmd_connection=metadata.Metadata(connection),
                    pipeline_info=pipeline.pipeline_info,
                    pipeline_runtime_spec=pipeline.runtime_spec,
                    executor_spec=executor_spec,
                    custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
                    custom_executor_operators=operators,
                ).launch()
            except RuntimeError as error:
                told = job_failure(node_id, error)
                if told is None:
                    raise
                raise told from error
            report(f"        {format_secs(time.monotonic() - start)}")
