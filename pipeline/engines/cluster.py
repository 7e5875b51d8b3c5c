"""A cluster on this machine, for trying an engine: up, status, down."""

import dataclasses
import hashlib
import json
import pathlib
import shutil
import time
import urllib.request

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.engines import network
from emotion_pipeline.engines.flink import flink_services
from emotion_pipeline.engines.job_server import answers, free_port
from emotion_pipeline.engines.services import Service, start, stop
from emotion_pipeline.engines.spark import spark_services

START_TIMEOUT_SECS = 240.0
"""A part that ends is noticed at once; this is for a machine so busy that all of them are slow."""

_POLL_SECS = 0.5
_POLL_TIMEOUT_SECS = 5.0
_STATE_FILE = "cluster.json"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A cluster that was started.

    Attributes:
      engine: `flink` or `spark`.
      folder: Logs, configuration and state.
      workers: Number of TaskManagers or Spark workers.
      master: The engine's address, as `emotion run` takes it.
      job_endpoint: `HOST:PORT` of Beam's job server.
      services: The processes.
      namespace_prefix: Begins the names of its network namespaces; empty where there are none.
    """

    engine: str
    folder: str
    workers: int
    master: str
    job_endpoint: str
    services: tuple[Service, ...]
    namespace_prefix: str = ""

    def service(self, name: str) -> Service:
        """Returns a process by its name, such as `taskmanager-2`."""
        return next(service for service in self.services if service.name == name)

    def log(self, name: str) -> pathlib.Path:
        """Returns the log of a process."""
        return _log_dir(pathlib.Path(self.folder)) / f"{name}.log"

    @property
    def run_arguments(self) -> list[str]:
        """The arguments of `emotion run` for this cluster."""
        return [
            *("--runner", self.engine, f"--{self.engine}-master", self.master),
            *("--job-endpoint", self.job_endpoint),
        ]


def up(folder: pathlib.Path, workers: int = 1, slots: int = 2, engine: str = "flink") -> Cluster:
    """Starts a cluster and waits until its workers have registered.

    Args:
      folder: Where its files go; one cluster has one folder.
      workers: Number of TaskManagers. More than one needs root: each gets a network namespace, so
        that each has a worker pool on a `localhost` of its own.
      slots: Of each TaskManager; cores of each Spark worker.
      engine: `flink` or `spark`.

    Raises:
      UserError: One runs in this folder already, a part is missing, or it does not come up.
    """
    folder = folder.resolve()
    if (folder / _STATE_FILE).exists():
        raise UserError(f"{folder}: a cluster was started there; `emotion cluster down` ends it")
    for scratch in ("tmp", "artifacts", "conf"):
        shutil.rmtree(folder / scratch, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    prefix = ""
    here, hosts = network.Host(), [network.Host()] * 2
    if workers > 1:
        prefix = "emo" + hashlib.sha256(str(folder).encode()).hexdigest()[:7]
        network.remove(prefix, workers + 1)
        here, hosts = network.create(prefix, workers + 1)
    ports = {name: free_port() for name in ("rpc", "rest", "job")}
    if engine == "flink":
        master, job_host = f"{hosts[0].address}:{ports['rest']}", "127.0.0.1"
        specs = flink_services(folder, hosts, slots, ports)
    else:
        master, job_host = f"spark://{hosts[0].address}:{ports['rpc']}", here.address
        specs = spark_services(folder, here, hosts, slots, ports)
    cluster = Cluster(
        engine=engine,
        folder=str(folder),
        workers=workers,
        master=master,
        job_endpoint=f"{job_host}:{ports['job']}",
        services=(),
        namespace_prefix=prefix,
    )
    for spec in specs:
        started = start(spec, _log_dir(folder))
        cluster = dataclasses.replace(cluster, services=(*cluster.services, started))
        _write(cluster)
    try:
        _wait(cluster, f"http://{hosts[0].address}:{ports['rest']}", workers * slots)
    except UserError:
        down(folder)
        raise
    return cluster


def status(folder: pathlib.Path) -> tuple[Cluster, dict[str, bool]]:
    """Returns the cluster of a folder, and of each process whether it runs.

    Raises:
      UserError: No cluster was started there.
    """
    cluster = _read(folder.resolve())
    return cluster, {service.name: service.is_running() for service in cluster.services}


def down(folder: pathlib.Path) -> None:
    """Ends the cluster of a folder; its logs stay.

    Raises:
      UserError: No cluster was started there.
    """
    folder = folder.resolve()
    cluster = _read(folder)
    stop(list(cluster.services))
    if cluster.namespace_prefix:
        network.remove(cluster.namespace_prefix, cluster.workers + 1)
    (folder / _STATE_FILE).unlink()


def _wait(cluster: Cluster, rest_url: str, slots: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECS
    missing = "the job server"
    while time.monotonic() < deadline:
        for service in cluster.services:
            if not service.is_running():
                raise UserError(f"{service.name} ended at once; see {cluster.log(service.name)}")
        found = _registered_slots(cluster.engine, rest_url)
        missing = f"{slots - found} of {slots} slots" if found < slots else "the job server"
        if found >= slots and answers(cluster.job_endpoint, timeout_secs=1.0):
            return
        time.sleep(_POLL_SECS)
    raise UserError(
        f"{cluster.folder}: {missing} did not come up within {START_TIMEOUT_SECS:.0f} s; see its logs"
    )


def _registered_slots(engine: str, rest_url: str) -> int:
    path, key = {"flink": ("/overview", "slots-total"), "spark": ("/json/", "cores")}[engine]
    try:
        with urllib.request.urlopen(rest_url + path, timeout=_POLL_TIMEOUT_SECS) as answer:
            return json.load(answer)[key]
    except (OSError, ValueError):
        # Not up yet.
        return 0


def _log_dir(folder: pathlib.Path) -> pathlib.Path:
    return folder / "logs"


def _write(cluster: Cluster) -> None:
    text = json.dumps(dataclasses.asdict(cluster), indent=1)
    (pathlib.Path(cluster.folder) / _STATE_FILE).write_text(text + "\n", encoding="utf-8")


def _read(folder: pathlib.Path) -> Cluster:
    try:
        found = json.loads((folder / _STATE_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder}: no cluster was started there; `emotion cluster up`") from None
    services = tuple(Service(**one) for one in found.pop("services"))
    return Cluster(services=services, **found)
