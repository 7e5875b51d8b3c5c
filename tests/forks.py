"""Commands that start as forks of one process that has imported TFX already.

The imports are most of a short command's time. That a command imports what it needs is not seen so: a test of each
kind starts a process of its own.
"""

import atexit
import contextlib
import gc
import multiprocessing
import os
import pathlib
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess

_PRELOADED = (
    "emotion_pipeline.kubeflow.graph",
    "emotion_pipeline.local_runner",
    "tensorflow_model_analysis",
    "tensorflow_transform",
)


def prepare() -> None:
    """Starts that process, which imports while the caller goes on; a second call does nothing."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(_PRELOADED))
    forkserver.ensure_running()


def start(
    command: Sequence[str],
    folder: pathlib.Path,
    environment: Mapping[str, str],
    stdout: pathlib.Path,
    stderr: pathlib.Path | None = None,
) -> BaseProcess:
    """Starts a command, which reads nothing.

    Args:
      command: `python -m MODULE ...`.
      folder: Where it works.
      environment: All of it.
      stdout: File for what it prints.
      stderr: File for its errors; None for the same.
    """
    if command[1] != "-m":
        raise ValueError(f"cannot be forked, expected python -m MODULE: {command[:3]}")
    prepare()
    process = multiprocessing.get_context("forkserver").Process(
        target=_run, args=(list(command[2:]), folder, dict(environment), stdout, stderr or stdout)
    )
    process.start()
    return process


def _run(
    arguments: list[str],
    folder: pathlib.Path,
    environment: dict[str, str],
    stdout: pathlib.Path,
    stderr: pathlib.Path,
) -> None:
    """Makes of a forked process what `python -m MODULE ...` is, and runs it."""
    with contextlib.ExitStack() as files:
        for descriptor, path in enumerate((pathlib.Path(os.devnull), stdout, stderr)):
            file = files.enter_context(open(path, "ab" if descriptor else "rb"))
            os.dup2(file.fileno(), descriptor)
    # What was imported stays: no collection need go through it, nor copy its memory.
    gc.freeze()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = arguments
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    finally:
        # A forked process leaves them out; they delete temporary files, for one.
        atexit._run_exitfuncs()
