"""A small Beam job that finds out whether an engine's workers can do the pipeline's work.

Imports little, since every worker loads it before the first real step.
"""

import dataclasses
import json
import os
import socket
import uuid
from collections.abc import Iterable

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.fingerprint import code_fingerprint
from emotion_pipeline.engines.arguments import option_of

_PACKAGES = ("emotion_pipeline", "emotion_faces")
_MARK = "[probe]"
_TASKS = 32


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a worker must find.

    Attributes:
      token_path: A file that this process wrote, in the pipeline root.
      token: Its content.
      answers_dir: Where workers write their answers; this process reads them.
      readable: Further paths that must be there.
      code: The fingerprint of the project's packages.
    """

    token_path: str
    token: str
    answers_dir: str
    readable: tuple[str, ...]
    code: str


def find_problems(expected: Expected) -> list[str]:
    """Returns what this machine lacks, a sentence each."""
    problems = []
    try:
        with FileSystems.open(expected.token_path) as file:
            found = file.read().decode("utf-8")
    except (OSError, ValueError) as error:
        problems.append(
            f"cannot read {expected.token_path}, which the run has just written ({error}): the root "
            "must be on storage that every worker sees under the same path"
        )
    else:
        if found != expected.token:
            problems.append(f"{expected.token_path} has another content there than here")
    problems += [
        f"cannot read {path}: the data must be on storage that every worker sees under the same path"
        for path in expected.readable
        if not FileSystems.exists(path)
    ]
    code = code_fingerprint(*_PACKAGES)
    if code != expected.code:
        problems.append(
            f"has other code of this project ({code}, here it is {expected.code}): install the same "
            "wheel on every worker"
        )
    return problems


class AnswerOrFail(beam.DoFn):
    """Writes a line about the worker into the answers' folder, or fails with what it lacks."""

    def __init__(self, expected: Expected):
        """Takes what the worker must find."""
        self._expected = expected

    def process(self, _: int) -> Iterable[str]:
        """Yields the worker's host."""
        host = socket.gethostname()
        problems = find_problems(self._expected)
        if problems:
            raise RuntimeError(f"{_MARK}worker on {host} {'; '.join(problems)}{_MARK}")
        name = f"{host}-{os.getpid()}-{uuid.uuid4().hex}.json"
        with FileSystems.create(os.path.join(self._expected.answers_dir, name)) as file:
            file.write(json.dumps({"host": host, "pid": os.getpid()}).encode())
        yield host


def probe_workers(
    args: list[str],
    pipeline_root: str,
    readable: Iterable[str],
    timeout_secs: float,
) -> int:
    """Runs the job and waits for it.

    Args:
      args: Beam's arguments for a job server with external workers.
      pipeline_root: Where the workers will write; the probe leaves nothing there.
      readable: Further paths that they must see.
      timeout_secs: After that the job is cancelled.

    Returns:
      How many workers answered.

    Raises:
      UserError: Something is missing; the text says what.
    """
    folder = os.path.join(pipeline_root, f".probe-{uuid.uuid4().hex}")
    expected = Expected(
        token_path=os.path.join(folder, "token"),
        token=uuid.uuid4().hex,
        answers_dir=os.path.join(folder, "answers"),
        readable=tuple(readable),
        code=code_fingerprint(*_PACKAGES),
    )
    FileSystems.mkdirs(expected.answers_dir)
    try:
        with FileSystems.create(expected.token_path) as file:
            file.write(expected.token.encode())
        _run(args, expected, timeout_secs)
        answers = FileSystems.match([os.path.join(expected.answers_dir, "*")])[0].metadata_list
        if not answers:
            raise UserError(
                f"the workers wrote into {expected.answers_dir}, and it is empty here: the root must "
                "be on storage that this machine and every worker share"
            )
        return len({answer.path.rsplit("-", 1)[0] for answer in answers})
    finally:
        FileSystems.delete([folder])


def _run(args: list[str], expected: Expected, timeout_secs: float) -> None:
    pipeline = beam.Pipeline(options=PipelineOptions(args))
    (
        pipeline
        | "CreateTasks" >> beam.Create(range(_TASKS))
        | "SpreadTasks" >> beam.Reshuffle()
        | "AskWorker" >> beam.ParDo(AnswerOrFail(expected))
    )
    endpoint = option_of(args, "job_endpoint")
    try:
        result = pipeline.run()
        state = result.wait_until_finish(duration=int(timeout_secs * 1000))
    except Exception as error:
        raise UserError(explain_failure(str(error), args)) from error
    if not PipelineState.is_terminal(state):
        result.cancel()
        raise UserError(
            f"the job server at {endpoint} took a small job, and it did not end in "
            f"{timeout_secs:.0f} s. Look for these: no free slot; no worker pool at "
            f"{option_of(args, 'environment_config')} beside a TaskManager (python -m "
            "emotion_pipeline.engines.worker_pool); two TaskManagers that share one pool; a pool that cannot "
            "start Python; machines so busy that workers start slowly (--set beam.check_secs=N gives "
            "them longer). The engine's and the pool's logs say more."
        )


def explain_failure(text: str, args: list[str]) -> str:
    """Returns what a failed probe means in the user's terms, from the text of its error."""
    pool = option_of(args, "environment_config")
    if _MARK in text:
        return "a " + text.split(_MARK)[1]
    if "No module named" in text:
        module = text.split("No module named")[1].split("\n")[0].strip(" '\"\\.")
        return (
            f"a worker has no module named {module}: install this project's wheel in the environment "
            "of every worker pool"
        )
    port = pool.rpartition(":")[2]
    if pool and f":{port}" in text and ("Connection refused" in text or "UNAVAILABLE" in text):
        return (
            f"the engine's workers get no answer from a worker pool at {pool}: start one beside each "
            "of them (python -m emotion_pipeline.engines.worker_pool), on the same localhost"
        )
    # Of a Java trace the last cause says most, of a short text the whole.
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    reason = (
        causes[-1].removeprefix("Caused by: ") if causes else lines[0] if lines else "no reason"
    )
    return f"a small job on the engine failed: {reason}. Its logs and the job server's say more"
