"""The processes of a small standalone Spark on this machine."""

import pathlib

from emotion_pipeline.engines.flink import worker_pool_service
from emotion_pipeline.engines.jars import engine_package, find_program
from emotion_pipeline.engines.job_server import job_server_command, opened_packages
from emotion_pipeline.engines.network import Host
from emotion_pipeline.engines.services import ServiceSpec

_MASTER_CLASS = "org.apache.spark.deploy.master.Master"
_WORKER_CLASS = "org.apache.spark.deploy.worker.Worker"
_WORKER_MEMORY = "2g"


def spark_services(
    folder: pathlib.Path, here: Host, hosts: list[Host], slots: int, ports: dict[str, int]
) -> list[ServiceSpec]:
    """Returns what is to be started, in this order.

    Args:
      folder: Where scratch files go.
      here: Of the job server, which is the driver: the executors call it back.
      hosts: Of the master, then of each worker and its worker pool.
      slots: Cores of each worker.
      ports: `rpc` and `rest` (its web page) of the master, `job` of the job server.
    """
    java = [find_program("java", "Spark"), "-Xmx512m", *opened_packages()]
    classpath = ["-cp", f"{engine_package('spark')}/jars/*"]
    # A worker builds the command of its executors from these.
    home = {"SPARK_HOME": str(engine_package("spark")), "SPARK_SCALA_VERSION": "2.12"}
    master, *workers = hosts
    address = f"spark://{master.address}:{ports['rpc']}"
    master_command = [
        *java,
        *classpath,
        _MASTER_CLASS,
        *("--host", master.address, "--port", str(ports["rpc"])),
        *("--webui-port", str(ports["rest"])),
    ]
    services = [
        ServiceSpec("master", master.command(master_command), {"SPARK_LOCAL_IP": master.address})
    ]
    for number, host in enumerate(workers, start=1):
        worker = [
            *java,
            *classpath,
            _WORKER_CLASS,
            *("--host", host.address, "--cores", str(slots), "--memory", _WORKER_MEMORY),
            *("--work-dir", str(folder / "tmp" / f"worker-{number}"), address),
        ]
        services += [
            worker_pool_service(number, host),
            ServiceSpec(
                f"worker-{number}", host.command(worker), {**home, "SPARK_LOCAL_IP": host.address}
            ),
        ]
    command = job_server_command(
        "spark", address, ports["job"], folder / "artifacts", host=here.address
    )
    return [*services, ServiceSpec("job-server", command, {**home, "SPARK_LOCAL_IP": here.address})]
