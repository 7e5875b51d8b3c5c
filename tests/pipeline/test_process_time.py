import dataclasses
import datetime
import json
import subprocess
import sys
import time

import psutil
import pytest

from emotion_pipeline.cli import main
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.progress import format_secs
from emotion_pipeline.components.run_report.record import RunFacts, read_records, run_folder
from emotion_pipeline.configs import PipelineConfig

CODE = """
import time
time.sleep(1.5)  # stands for imports
from emotion_pipeline.process_time import seconds_since_start
print(seconds_since_start())
"""


def test_what_came_before_the_call_counts():
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60
    )
    assert 1.5 <= float(done.stdout) < 30


@pytest.mark.slow  # imports TFX
def test_a_run_has_one_start_and_one_duration(tmp_path, monkeypatch):
    from emotion_pipeline import local_runner
    from emotion_pipeline.components.run_report.run_content import facts_shown
    from emotion_pipeline.outcome import report
    from emotion_pipeline.outcome.conclude import Outcome

    error = UserError("no pictures")
    monkeypatch.setattr(local_runner, "run_until", lambda *_, **__: Outcome([], 1.5, error))
    # The page's time is the run's: it is drawn after a run that stopped early.
    monkeypatch.setattr(report, "_leave_page", lambda *_: time.sleep(2))
    started = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=100)
    summary = local_runner.run(PipelineConfig(root=str(tmp_path)), started)
    assert summary.started == started.isoformat(timespec="seconds")
    assert 102 <= summary.seconds < 170
    # In the list of runs and beside the page, too.
    (record,) = read_records(tmp_path)
    written = json.loads((run_folder(tmp_path, 1) / "summary.json").read_text())
    for one in (dataclasses.asdict(record), written):
        assert (one["started"], one["seconds"]) == (summary.started, summary.seconds)
    assert format_secs(summary.seconds) in (tmp_path / "reports" / "index.html").read_text()
    # As the page has it that RunReport writes meanwhile.
    facts = RunFacts(1, summary.started, str(tmp_path))
    assert facts_shown(facts, {}, {}, "here")["Took"].startswith("1 min ")


@pytest.mark.slow  # imports TFX
def test_the_command_counts_from_the_start_of_its_process(tmp_path, monkeypatch):
    from emotion_pipeline import local_runner
    from emotion_pipeline.outcome.summary import summarize

    given = []

    def run(config, started):
        given.append(started)
        return summarize(config, [], 12.5, UserError("no pictures"))

    monkeypatch.setattr(local_runner, "run", run)
    assert main(["run", "--root", str(tmp_path / "root")]) == 1
    (started,) = given
    own = psutil.Process().create_time()
    assert abs(started.timestamp() - own) < 2
    assert json.loads((tmp_path / "root" / "summary.json").read_text())["seconds"] == 12.5
