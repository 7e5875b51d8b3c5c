"""`emotion cluster`: an engine on this machine, to try the Beam steps on."""

import argparse
import pathlib

from emotion_pipeline.commands.terminal import FAILED_STATUS
from emotion_pipeline.components.errors import UsageError

HELP = "Start, look at or end a Flink or Spark on this machine, with all that Beam needs."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion cluster`."""
    parser.add_argument("action", choices=["up", "status", "down"], help="what to do with it")
    parser.add_argument(
        "--dir",
        metavar="DIR",
        type=pathlib.Path,
        default=pathlib.Path("runs/cluster"),
        help="logs, configuration and state; one cluster has one folder (default: %(default)s)",
    )
    parser.add_argument("--engine", choices=["flink", "spark"], default="flink", help="which")
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        help="TaskManagers; more than one needs root, for a network namespace each",
    )
    parser.add_argument("--slots", type=int, default=2, help="of each worker")


def execute(options: argparse.Namespace) -> int:
    """Does what was asked; `status` ends with 1 where a process is gone."""
    from emotion_pipeline.engines import cluster

    if options.action == "up":
        for key in ("workers", "slots"):
            if getattr(options, key) < 1:
                raise UsageError(f"--{key} {getattr(options, key)}: must be at least 1")
        started = cluster.up(
            options.dir, workers=options.workers, slots=options.slots, engine=options.engine
        )
        print(f"up; logs in {started.log('job-server').parent}. Use it with")
        print("  emotion run --data SOURCE --root DIR " + " ".join(started.run_arguments))
    elif options.action == "down":
        cluster.down(options.dir)
        print("down")
    else:
        found, running = cluster.status(options.dir)
        for name, runs in running.items():
            print(f"{name:14} {'running' if runs else 'gone: ' + str(found.log(name))}")
        print("emotion run --data SOURCE --root DIR " + " ".join(found.run_arguments))
        if not all(running.values()):
            return FAILED_STATUS
    return 0
