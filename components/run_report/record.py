"""What is kept of every run beside its page: enough to compare a later one with it."""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from emotion_pipeline.components.counted import counted
from emotion_pipeline.components.write_file import write_whole

REPORTS_DIR = "reports"
INDEX_FILE = "index.html"
RECORD_FILE = "run.json"
REPORT_FILE = "report.html"
SUMMARY_FILE = "summary.json"
STEPS_DIR = "steps"

RUNNING, INTERRUPTED = "running", "interrupted"

_FILE_SETTINGS = ("schema", "votes")

_NUMBER = re.compile(r"[1-9]\d*")


@dataclasses.dataclass(frozen=True)
class RunFacts:
    """Which run this is; RunReport gets it as JSON.

    Attributes:
      number: Of the run among those of its root, from 1.
      started: When, as ISO 8601 in UTC.
      root: The folder of everything that the run writes.
      log: Its log, relative to `root`; empty where there is none.
      push_dir: Folder of the version folders.
      job: Id that Kubeflow has given the run; empty on one machine.
      job_name: What Kubeflow shows it as.
    """

    number: int
    started: str
    root: str
    log: str = ""
    push_dir: str = ""
    job: str = ""
    job_name: str = ""


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """What `reports/<number>/run.json` holds.

    Attributes:
      number: Of the run among those of its root, from 1.
      started: When, as ISO 8601 in UTC: on one machine the command, on Kubeflow the first step.
      seconds: How long it took from there.
      status: How it ended: `pushed`, `not_blessed`, `anomalies`, `failed` or `interrupted`; `running` where it
        has not, or was killed.
      outcome: The same in words.
      notes: What else the page says at its top.
      recipe: Name of the recipe that the settings are nearest to.
      settings: All of them, flat, under dotted names.
      code: Version and fingerprint of the project.
      data: By split, as `history.describe_data` returns it.
      metrics: `split`, `accuracy`, `macro_f1`, and `accuracy_interval` as `[low, high]`; empty where
        nothing was evaluated.
      history: Of the training, a row an epoch; empty where there was none.
      pushed_version: The version folder's number; None where nothing was pushed.
      has_page: Whether there is `report.html` beside it.
      job: As `RunFacts` has it.
      files: As `digest_named_files` returns it.
      own_settings: How many settings are not the recipe's.
    """

    number: int
    started: str
    seconds: float
    status: str
    outcome: str
    notes: list[str]
    recipe: str
    settings: dict[str, Any]
    code: str
    data: dict[str, Any]
    metrics: dict[str, Any]
    history: list[dict[str, float]]
    pushed_version: int | None
    has_page: bool
    job: str = ""
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    own_settings: int = 0

    @property
    def recipe_in_words(self) -> str:
        """The recipe, and how many settings are not its."""
        return recipe_in_words(self.recipe, self.own_settings)

    @property
    def has_ended(self) -> bool:
        """Whether it came to an end of its own, however bad."""
        return self.status not in (RUNNING, INTERRUPTED)


def recipe_in_words(recipe: str, own_settings: int) -> str:
    """Returns the recipe of a run, and how many settings are not its.

    Example:
      >>> recipe_in_words("fast", 0), recipe_in_words("fast", 2)
      ('fast', 'fast, 2 settings of its own')
    """
    return recipe + (f", {counted(own_settings, 'setting')} of its own" if own_settings else "")


def run_folder(root: str | os.PathLike, number: int) -> pathlib.Path:
    """Returns the folder of a run's page."""
    return pathlib.Path(root) / REPORTS_DIR / str(number)


def steps_folder(facts: RunFacts) -> pathlib.Path:
    """Returns the folder of the records of a run's steps, where each leaves its own."""
    return run_folder(facts.root, facts.number) / STEPS_DIR


def run_numbers(root: str | os.PathLike) -> list[int]:
    """Returns the numbers of the runs that have a folder in a root, the first run first."""
    folder = pathlib.Path(root) / REPORTS_DIR
    names = [one.name for one in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(name) for name in names if _NUMBER.fullmatch(name))


def claim_number(root: str | os.PathLike) -> int:
    """Returns the next number of a root, and makes its folder: runs that ask at once get one each."""
    number = max(run_numbers(root), default=0) + 1
    while True:
        folder = run_folder(root, number)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
            return number
        except FileExistsError:
            number += 1


def write_record(record: RunRecord, root: str | os.PathLike) -> None:
    """Writes `run.json` into the folder of the run, made if need be."""
    path = run_folder(root, record.number) / RECORD_FILE
    write_whole(path, json.dumps(dataclasses.asdict(record), indent=1, ensure_ascii=False) + "\n")


def begin_record(
    facts: RunFacts, recipe: str, own_settings: int, settings: dict[str, Any], code: str
) -> RunRecord:
    """Returns the record of a run that begins; the one of its end is written over it."""
    return RunRecord(
        number=facts.number,
        started=facts.started,
        seconds=0.0,
        status=RUNNING,
        outcome="under way",
        notes=[],
        recipe=recipe,
        settings=settings,
        code=code,
        data={},
        metrics={},
        history=[],
        pushed_version=None,
        has_page=False,
        job=facts.job,
        files=digest_named_files(settings),
        own_settings=own_settings,
    )


def digest_named_files(settings: Mapping[str, Any]) -> dict[str, str]:
    """Returns by setting what is in the file that it names: the beginning of its SHA-256.

    Args:
      settings: The configuration, flat; the files are the schema and the votes, where they are in reach.
    """
    digests = {}
    for name in _FILE_SETTINGS:
        path = settings.get(name)
        if path and os.path.isfile(path):
            content = pathlib.Path(path).read_bytes()
            digests[name] = hashlib.sha256(content).hexdigest()[:12]
    return digests


def close_interrupted(root: str | os.PathLike) -> bool:
    """Records that the runs under way were interrupted; whoever calls it holds the root alone.

    Runs on Kubeflow do not hold it: they may well go on.

    Returns:
      Whether there were any.
    """
    found = [one for one in read_records(root) if one.status == RUNNING and not one.job]
    for one in found:
        outcome = "interrupted: the same command goes on where it stopped"
        write_record(dataclasses.replace(one, status=INTERRUPTED, outcome=outcome), root)
    return bool(found)


def read_records(root: str | os.PathLike) -> list[RunRecord]:
    """Reads the records of a root, the first run first; what cannot be read is left out."""
    records = (_read_record(root, number) for number in run_numbers(root))
    return [record for record in records if record is not None]


def damaged_records(root: str | os.PathLike) -> list[int]:
    """Returns the numbers of the runs whose record is there and cannot be read, the first run first."""
    return [
        number
        for number in run_numbers(root)
        if (run_folder(root, number) / RECORD_FILE).exists() and _read_record(root, number) is None
    ]


def _read_record(root: str | os.PathLike, number: int) -> RunRecord | None:
    path = run_folder(root, number) / RECORD_FILE
    try:
        return RunRecord(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        # Cut off by a full disk, edited, or of another version of the project.
        return None
