"""The processes of a small Flink on this machine.

Flink's PyPI package has no shell scripts; what they usually compute is computed here.
"""

import pathlib

from emotion_faces.import_path import python_command
from emotion_pipeline.engines.jars import engine_package, find_program, job_server_jars
from emotion_pipeline.engines.job_server import job_server_command, opened_packages
from emotion_pipeline.engines.network import Host
from emotion_pipeline.engines.services import ServiceSpec
from emotion_pipeline.engines.worker_pool import DEFAULT_PORT

_JOB_MANAGER_CLASS = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER_CLASS = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"

# Megabytes. Transform's graph has hundreds of shuffles: with 128 MB of network buffers it fails
# ("Insufficient number of network buffers"). Beam speaks to the Python worker through buffers outside
# the heap: without room of their own all the pictures on one TaskManager are too many ("Direct buffer
# memory"), and the job fails as "call is closed" or "Channel closed prematurely".
_TASK_HEAP_MB = 640
_TASK_OFF_HEAP_MB = 512
_FRAMEWORK_MB = 128
_MANAGED_MB = 256
_NETWORK_MB = 400
_METASPACE_MB = 256
_OVERHEAD_MB = 192

COMMON_SETTINGS = {
    # A TaskManager that was killed is noticed within this time, in milliseconds.
    "heartbeat.interval": "2000",
    "heartbeat.timeout": "15000",
    # Beam's classes are on the classpath; one class loader for all jobs, else a second job can meet
    # classes of one that the first has closed.
    "classloader.resolve-order": "parent-first",
    # A busy machine answers late.
    "pekko.ask.timeout": "60 s",
    # A job that loses a TaskManager is tried again on the others. Beam's own option for it,
    # number_of_execution_retries, does not reach Flink. Each part of a job that fails is an attempt,
    # and one TaskManager takes several with it: three were used up by one.
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "20",
    "restart-strategy.fixed-delay.delay": "5 s",
    # Slots of all TaskManagers fill evenly, so that a small job is shared too.
    "taskmanager.load-balance.mode": "SLOTS",
}

_LOG_CONFIG = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %-5p %c{1} %m%n
"""


def task_manager_settings(slots: int) -> dict[str, str]:
    """Returns Flink's settings of a TaskManager's memory and slots, whole: none may be missing."""
    return {
        "taskmanager.numberOfTaskSlots": str(slots),
        "taskmanager.cpu.cores": str(slots),
        "taskmanager.memory.task.heap.size": f"{_TASK_HEAP_MB}m",
        "taskmanager.memory.task.off-heap.size": f"{_TASK_OFF_HEAP_MB}m",
        "taskmanager.memory.framework.heap.size": f"{_FRAMEWORK_MB}m",
        "taskmanager.memory.framework.off-heap.size": f"{_FRAMEWORK_MB}m",
        "taskmanager.memory.managed.size": f"{_MANAGED_MB}m",
        "taskmanager.memory.network.min": f"{_NETWORK_MB}m",
        "taskmanager.memory.network.max": f"{_NETWORK_MB}m",
        "taskmanager.memory.jvm-metaspace.size": f"{_METASPACE_MB}m",
        "taskmanager.memory.jvm-overhead.min": f"{_OVERHEAD_MB}m",
        "taskmanager.memory.jvm-overhead.max": f"{_OVERHEAD_MB}m",
    }


def flink_services(
    folder: pathlib.Path, hosts: list[Host], slots: int, ports: dict[str, int]
) -> list[ServiceSpec]:
    """Returns what is to be started, in this order.

    Args:
      folder: Where configuration and scratch files go.
      hosts: Of the JobManager, then of each TaskManager and its worker pool.
      slots: Of each TaskManager.
      ports: `rpc` and `rest` of the JobManager, `job` of the job server.
    """
    java = find_program("java", "Flink")
    classpath = ":".join(str(jar) for jar in _classpath())
    master, *workers = hosts
    common = {
        **COMMON_SETTINGS,
        "jobmanager.rpc.address": master.address,
        "jobmanager.rpc.port": str(ports["rpc"]),
        "rest.address": master.address,
        "rest.port": str(ports["rest"]),
    }
    config = {
        **common,
        "jobmanager.bind-host": master.bind_address,
        "rest.bind-address": master.bind_address,
    }
    job_manager = [
        java,
        *("-Xmx768m", f"-XX:MaxMetaspaceSize={_METASPACE_MB}m", *_java_options(folder)),
        *("-cp", classpath, _JOB_MANAGER_CLASS),
        *("--configDir", _write_config(folder, "jobmanager", config)),
    ]
    services = [ServiceSpec("jobmanager", master.command(job_manager))]
    for number, host in enumerate(workers, start=1):
        name = f"taskmanager-{number}"
        config = {
            **common,
            **task_manager_settings(slots),
            "taskmanager.host": host.address,
            "taskmanager.bind-host": host.bind_address,
            "taskmanager.resource-id": name,
        }
        task_manager = [
            java,
            f"-Xmx{_TASK_HEAP_MB + _FRAMEWORK_MB}m",
            f"-XX:MaxDirectMemorySize={_TASK_OFF_HEAP_MB + _FRAMEWORK_MB + _NETWORK_MB}m",
            f"-XX:MaxMetaspaceSize={_METASPACE_MB}m",
            *_java_options(folder),
            *("-cp", classpath, _TASK_MANAGER_CLASS),
            *("--configDir", _write_config(folder, name, config)),
        ]
        services += [
            worker_pool_service(number, host),
            ServiceSpec(name, host.command(task_manager)),
        ]
    job_server = job_server_command(
        "flink", f"{master.address}:{ports['rest']}", ports["job"], folder / "artifacts"
    )
    return [*services, ServiceSpec("job-server", job_server)]


def worker_pool_service(number: int, host: Host) -> ServiceSpec:
    """Returns the worker pool beside an engine's worker."""
    pool = python_command("emotion_pipeline.engines.worker_pool", "--port", str(DEFAULT_PORT))
    return ServiceSpec(f"pool-{number}", host.command(pool))


def _classpath() -> list[pathlib.Path]:
    flink = sorted((engine_package("flink") / "lib").glob("*.jar"))
    # Flink brings itself and its logging.
    others = ("flink-", "slf4j-", "log4j-")
    beam = sorted(job_server_jars("flink").glob("*.jar"))
    return flink + [jar for jar in beam if not jar.name.startswith(others)]


def _java_options(folder: pathlib.Path) -> list[str]:
    log_config = folder / "log4j.properties"
    log_config.write_text(_LOG_CONFIG, encoding="utf-8")
    return [*opened_packages(), f"-Dlog4j.configurationFile={log_config}"]


def _write_config(folder: pathlib.Path, name: str, config: dict[str, str]) -> str:
    config_dir = folder / "conf" / name
    config_dir.mkdir(parents=True, exist_ok=True)
    scratch = folder / "tmp" / name
    scratch.mkdir(parents=True, exist_ok=True)
    lines = {**config, "io.tmp.dirs": str(scratch)}
    text = "".join(f"{key}: {value}\n" for key, value in lines.items())
    (config_dir / "flink-conf.yaml").write_text(text, encoding="utf-8")
    return str(config_dir)
