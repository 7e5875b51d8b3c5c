"""Beam's worker pool: starts a Python worker on this machine whenever an engine asks for one.

    python -m emotion_pipeline.engines.worker_pool --port 50000

It stands beside each TaskManager of Flink or worker of Spark, on the same `localhost`, in an
environment in which this project is installed. Two TaskManagers must not share one: they use the same
worker ids and stop each other's workers.
"""

import argparse
import logging
import os
import pathlib
import signal
import sys
import threading

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import (
    BeamFnExternalWorkerPoolServicer,
    kill_process_gracefully,
)
from apache_beam.utils import thread_pool_executor

DEFAULT_PORT = 50000

_STATE_CACHE_BYTES = 100 << 20
"""Of side inputs that a worker keeps between bundles, the default of Beam's own containers."""


class WorkerPool(BeamFnExternalWorkerPoolServicer):
    """Beam's servicer, which can also end what it started."""

    def stop_workers(self) -> None:
        """Ends every worker, killing those that do not end by themselves within 10 seconds."""
        for process in list(self._worker_processes.values()):
            kill_process_gracefully(process)


def serve(port: int) -> tuple[grpc.Server, WorkerPool, int]:
    """Starts a pool; Beam's own main listens on all interfaces, this one on loopback alone.

    Args:
      port: 0 picks a free one.

    Returns:
      The server, the pool and its port.
    """
    # The pool starts whatever `python` is first on PATH, and a wrong one makes a job wait for ever.
    binaries = str(pathlib.Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join((binaries, os.environ.get("PATH", os.defpath)))
    server = grpc.server(thread_pool_executor.shared_unbounded_instance())
    pool = WorkerPool(use_process=True, state_cache_size=_STATE_CACHE_BYTES)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    bound = server.add_insecure_port(f"localhost:{port}")
    server.start()
    return server, pool, bound


def main() -> None:
    """Serves until it is told to end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    # Beam starts workers with `-c`, which imports from the current folder before all others.
    os.chdir(pathlib.Path(sys.executable).parent)
    server, pool, port = serve(options.port)
    logging.info("worker pool on localhost:%d, its workers run %s", port, sys.executable)
    ended.wait()
    server.stop(None)
    pool.stop_workers()


if __name__ == "__main__":
    main()
