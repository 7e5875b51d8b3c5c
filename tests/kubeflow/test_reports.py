"""The page of a run on Kubeflow, its number, and what a run leaves that stops early."""

import json
import re
import shutil
import threading

import pytest

from emotion_pipeline.components.run_report.history import format_time
from emotion_pipeline.components.run_report.record import (
    claim_number,
    read_records,
    run_folder,
    run_numbers,
    steps_folder,
)
from emotion_pipeline.configs import PipelineConfig
from tests.components.run_report.test_page import Page
from tests.kubeflow.conftest import PARAMETERS

pytestmark = pytest.mark.slow


def record_of(root, run):
    (record,) = (one for one in read_records(root) if one.job == run.id)
    return record


def page_of(root, run) -> Page:
    folder = run_folder(root, record_of(root, run).number)
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_the_page_says_which_run_it_is(compiled, whole_run):
    record = record_of(compiled.root, whole_run)
    (version,) = (path.name for path in compiled.push_dir.iterdir())
    assert (record.status, str(record.pushed_version)) == ("pushed", version)
    assert (record.settings["train.epochs"], record.settings["seed"]) == (1, 5)
    assert record.metrics["split"] == "eval"
    assert len(record.history) == 1
    page = page_of(compiled.root, whole_run)
    assert f"Run {record.number} of root" in page.text
    assert f"Pipeline run emotion as submitted ({whole_run.id})" in page.text
    assert "Recipe original" in page.text
    assert f"Started {format_time(record.started)}" in page.text
    for step in set(whole_run.tasks) - {"RunReport"}:
        assert re.search(rf"\b{step} [\d.]+ (s|min)\b", page.text), step
    links = [one["href"] for one in page.all("a") if "data-root" in one]
    assert "../../reports/index.html" in links
    for link in links:
        assert (run_folder(compiled.root, record.number) / link).exists(), link


def test_the_artifact_of_the_page_has_no_links_that_lead_nowhere(whole_run):
    text = (whole_run.folder("RunReport", "report") / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not [one for one in page.all("a") if "data-root" in one]
    assert "Confusion matrix" in page.text


def test_the_summary_and_the_list_tell_of_it_too(compiled, whole_run):
    number = record_of(compiled.root, whole_run).number
    summary = json.loads((run_folder(compiled.root, number) / "summary.json").read_text())
    assert (summary["status"], summary["run"], summary["blessed"]) == ("pushed", number, True)
    done = {one["id"] for one in summary["components"]}
    assert done == set(whole_run.tasks)
    listed = Page((compiled.root / "reports" / "index.html").read_text(encoding="utf-8"))
    assert f"{number}/report.html" in [one["href"] for one in listed.all("a")]
    assert f"blessed, and pushed as version {summary['pushed_version']}" in (
        whole_run.tasks["RunReport"].log
    )


@pytest.fixture(scope="module")
def stopped_run(compiled, whole_run, tmp_path_factory):
    """A run after the whole one that AnomalyGate ends: its pictures have a class more."""
    from tests.kubeflow.kfp_stand_in import Run, RunError
    from tests.kubeflow.pods import Forks

    data = tmp_path_factory.mktemp("contempt") / "data"
    shutil.copytree(compiled.data, data)
    shutil.copytree(data / "images" / "train" / "sad", data / "images" / "train" / "contempt")
    run = Run(
        compiled.package,
        tmp_path_factory.mktemp("stopped"),
        Forks(),
        parameters={**PARAMETERS, "data": str(data)},
    )
    with pytest.raises(RunError, match="task AnomalyGate ended"):
        run.run()
    return run


def test_a_run_that_stops_at_its_data_leaves_a_page(compiled, whole_run, stopped_run):
    record = record_of(compiled.root, stopped_run)
    before = record_of(compiled.root, whole_run)
    assert (record.status, record.has_page) == ("anomalies", True)
    assert record.number > before.number
    assert record.outcome.startswith("stopped at anomalies in the data")
    page = page_of(compiled.root, stopped_run)
    assert f"Run {record.number} of root" in page.text
    assert "Stopped: " in page.text
    assert "contempt" in page.text
    assert {"anomalies", "findings", "statistics"} <= {one["id"] for one in page.all("section")}
    assert f"Settings since run {before.number} of " in page.text
    assert f"Run {before.number} of root" in page_of(compiled.root, whole_run).text  # is kept
    newest = Page((compiled.root / "report.html").read_text(encoding="utf-8"))
    assert f"Run {record.number} of root" in newest.text


def test_a_step_that_fails_leaves_a_page_and_the_retry_another_end(compiled, whole_run, tmp_path):
    from emotion_pipeline.outcome.report import begin_run
    from tests.kubeflow.kfp_stand_in import Run
    from tests.kubeflow.pods import Forks

    run = Run(compiled.package, tmp_path, Forks(), parameters=PARAMETERS)
    run.root, run.store = whole_run.root, whole_run.store
    run.tasks = dict(whole_run.tasks)
    config = PipelineConfig(root=str(compiled.root), push_dir=str(compiled.push_dir))
    facts = begin_run(config, job=run.id, job_name="again")
    done = steps_folder(begin_run(config, job=whole_run.id, job_name="first"))
    after = ("Evaluator", "Pusher", "RunReport")
    shutil.copytree(
        done, steps_folder(facts), ignore=lambda _, names: [n for n in names if n.startswith(after)]
    )
    model = run.tasks["Trainer"].outputs["model"]
    right = model["uri"]
    model["uri"] = f"{run.root}/nowhere"
    try:
        assert run._run_task("Evaluator").status == 1
    finally:
        model["uri"] = right
    record = record_of(compiled.root, run)
    assert (record.number, record.status, record.has_page) == (facts.number, "failed", True)
    page = page_of(compiled.root, run)
    assert f"Run {record.number} of root" in page.text
    assert "Failed: " in page.text
    assert "Translated copies" not in page.text

    shutil.rmtree(tmp_path / "pods")
    assert run._run_task("Evaluator").status == 0
    record = record_of(compiled.root, run)
    assert record.outcome.startswith("under way: Evaluator since ")


def test_runs_and_steps_that_begin_at_once_have_a_number_each_run(tmp_path):
    from emotion_pipeline.kubeflow.reports import reported

    config = PipelineConfig(root=str(tmp_path / "root"), push_dir=str(tmp_path / "pushed"))
    jobs = [f"job-{n % 4}" for n in range(12)]
    found: dict[int, int] = {}
    start = threading.Barrier(len(jobs))

    def begin(n: int) -> None:
        start.wait()
        given = {"pipeline_job_uuid": jobs[n], "pipeline_job_name": "a run"}
        with reported(f"Step{n}", config, given) as step:
            found[n] = step.facts.number

    threads = [threading.Thread(target=begin, args=(n,)) for n in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_job = {job: {found[n] for n in range(len(jobs)) if jobs[n] == job} for job in jobs}
    assert sorted(number for (number,) in by_job.values()) == [1, 2, 3, 4]


def test_numbers_are_claimed_without_a_lock_too(tmp_path):
    claimed: list[int] = []
    threads = [
        threading.Thread(target=lambda: claimed.append(claim_number(tmp_path))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == run_numbers(tmp_path) == list(range(1, 17))


@pytest.mark.parametrize(
    "job",
    [
        {},
        {"pipeline_job_uuid": "", "pipeline_job_name": "x"},
        {"pipeline_job_uuid": "{{$.pipeline_job_uuid}}", "pipeline_job_name": "x"},
    ],
)
def test_a_kubeflow_that_does_not_say_which_run_it_is_has_no_number(tmp_path, job):
    from emotion_pipeline.kubeflow.reports import reported

    config = PipelineConfig(root=str(tmp_path / "root"))
    with reported("RunReport", config, job) as step:
        assert step.facts is None
        assert step.properties("RunReport") == {}
    assert not (tmp_path / "root").exists()


def test_a_root_that_cannot_be_written_does_not_end_a_step(tmp_path, caplog):
    from emotion_pipeline.kubeflow.reports import reported

    (tmp_path / "root").write_text("")
    config = PipelineConfig(root=str(tmp_path / "root"))
    given = {"pipeline_job_uuid": "job", "pipeline_job_name": "a run"}
    with reported("ImageIngest", config, given) as step:
        assert step.facts is None
    assert "the run's page and its place in the list" in caplog.text
