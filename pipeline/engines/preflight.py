"""Finds out before a run whether its engine can do the work, and says what is missing."""

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.progress import report
from emotion_pipeline.configs import BeamConfig
from emotion_pipeline.engines.arguments import beam_args, option_of
from emotion_pipeline.engines.jars import FLINK_VERSION
from emotion_pipeline.engines.secrets import resolve

_REST_TIMEOUT_SECS = 10.0
_ENDPOINT_TIMEOUT_SECS = 5.0
_FLINK_SERIES = FLINK_VERSION.rpartition(".")[0]
_OBJECT_STORE = "gs://"


@contextlib.contextmanager
def ready_engine(
    config: BeamConfig, pipeline_root: str, data: tuple[str, ...], log_dir: pathlib.Path
) -> Iterator[BeamConfig]:
    """Checks the engine and yields the settings with what was found out about it.

    Where no job server is named, one runs until the context ends. In this process there is nothing
    to check.

    Args:
      config: The settings.
      pipeline_root: Where the workers will write.
      data: Folders that they will read from besides.
      log_dir: Where the job server's log goes.

    Raises:
      UserError: Something is missing; the text says what, within a minute.
    """
    if config.runner == "local":
        yield config
        return
    if config.runner == "dataflow":
        check_dataflow(config, (pipeline_root, *data))
        yield config
        return
    if config.runner == "flink":
        parallelism = check_flink(config, flink_overview(config.flink_master))
        config = dataclasses.replace(config, parallelism=parallelism)
    from emotion_pipeline.engines.job_server import answers, running_job_server
    from emotion_pipeline.engines.probe import probe_workers

    with contextlib.ExitStack() as stack:
        if not config.job_endpoint:
            master = config.flink_master if config.runner == "flink" else config.spark_master
            log = log_dir / "job-server.log"
            endpoint = stack.enter_context(running_job_server(config.runner, master, log))
            config = dataclasses.replace(config, job_endpoint=endpoint)
        elif not answers(config.job_endpoint, _ENDPOINT_TIMEOUT_SECS):
            raise UserError(
                f"--job-endpoint {config.job_endpoint}: no job server answers there. Start Beam's job "
                "server for the engine, or leave the argument out and the run starts one"
            )
        if config.check_secs:
            report(f"{config.runner}: asking the workers")
            workers = probe_workers(
                resolve(beam_args(config), os.environ), pipeline_root, data, config.check_secs
            )
            report(f"        {workers} answered")
        yield config


def check_flink(config: BeamConfig, overview: dict[str, Any]) -> int:
    """Returns how many parts a job is to be cut into on this Flink.

    Args:
      config: The settings; `parallelism` 0 asks for every free slot.
      overview: What the JobManager says of itself.

    Raises:
      UserError: It is of another version than the job server needs, or has too few free slots.
    """
    version = str(overview.get("flink-version", "unknown"))
    # A job server of the user's own may be built for another Flink.
    if not config.job_endpoint and version.rpartition(".")[0] != _FLINK_SERIES:
        raise UserError(
            f"--flink-master {config.flink_master}: runs Flink {version}, and the job server that "
            f"this run would start speaks to {_FLINK_SERIES}. Give a cluster of that version, or "
            "--job-endpoint of a job server built for yours"
        )
    managers, total, free = (
        int(overview.get(key, 0)) for key in ("taskmanagers", "slots-total", "slots-available")
    )
    if not total:
        raise UserError(
            f"--flink-master {config.flink_master}: has {managers} TaskManagers and no slot. Start a "
            "TaskManager, and look into its log if it is there already"
        )
    if free < max(config.parallelism, 1):
        raise UserError(
            f"--flink-master {config.flink_master}: {free} of its {total} slots are free, the run "
            f"needs {max(config.parallelism, 1)}. Wait for other jobs, cancel them, add "
            "TaskManagers, or give less with --set beam.parallelism=N"
        )
    return config.parallelism or free


def check_dataflow(config: BeamConfig, paths: tuple[str, ...]) -> None:
    """Checks what can be known of a Dataflow run without asking Google.

    Raises:
      UserError: An argument is missing, or a path is not on Cloud Storage.
    """
    for key in ("project", "region", "temp_location"):
        if not option_of(beam_args(config), key):
            raise UserError(f"--runner dataflow: needs --beam-arg=--{key}=..., which is not given")
    for path in paths:
        if not path.startswith(_OBJECT_STORE):
            raise UserError(
                f"--runner dataflow: its workers cannot read {path}; data and pipeline root must lie "
                f"on {_OBJECT_STORE}"
            )


def flink_overview(master: str) -> dict[str, Any]:
    """Returns what a JobManager says of itself: its version, TaskManagers and slots.

    Args:
      master: `HOST:PORT` of its REST interface, or a URL.

    Raises:
      UserError: No JobManager answers there.
    """
    url = (master if "://" in master else f"http://{master}").rstrip("/") + "/overview"
    try:
        with urllib.request.urlopen(url, timeout=_REST_TIMEOUT_SECS) as answer:
            found = json.load(answer)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise UserError(
            f"--flink-master {master}: no Flink JobManager answers at {url} ({reason}). Give "
            "HOST:PORT of its REST interface, usually port 8081, and see that it runs"
        ) from error
    if not isinstance(found, dict) or "slots-total" not in found:
        raise UserError(f"--flink-master {master}: {url} is no JobManager's, it holds {found!r}")
    return found
