"""`emotion report` on roots with records made by hand; with real runs, `tests/e2e/test_run.py`."""

import dataclasses
import os
import subprocess
import sys

import pytest

from emotion_pipeline.cli import main
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.run_report.record import (
    claim_number,
    read_records,
    run_folder,
    write_record,
)
from emotion_pipeline.outcome.pdf import BROWSERS, find_browser, print_pdf
from emotion_pipeline.outcome.report import list_runs
from emotion_pipeline.root_lock import LOCK_FILE
from tests.components.run_report.test_record import ONE

HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def root(tmp_path):
    """Runs 1 and 2, of which 2 has no page."""
    root = tmp_path / "a root"
    for number, has_page in ((1, True), (2, False)):
        record = dataclasses.replace(ONE, number=number, has_page=has_page)
        write_record(record, root)
    (run_folder(root, 1) / "report.html").write_text("<!doctype html><title>A page</title>Words")
    return root


def install_browser(folder, monkeypatch, text: str) -> None:
    """Puts a program of the browser's name first on PATH."""
    browser = folder / "bin" / BROWSERS[0]
    browser.parent.mkdir()
    browser.write_text("#!/bin/sh\n" + text)
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{browser.parent}{os.pathsep}{os.environ['PATH']}")


def test_says_how_an_earlier_run_ended_and_where_its_page_is(root, capsys):
    assert main(["report", str(root), "--run", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "run 1 of 2026-11-30T05:20:00+00:00, recipe fast: "
        "not blessed, nothing pushed: accuracy 0.154 is below 0.5",
        "in the data: 1 picture of one gray",
        f"report: {root / 'reports' / '1' / 'report.html'}",
        f"all runs: {root / 'reports' / 'index.html'}",
    ]


def test_no_note_of_a_run_moves_the_cursor(root, capsys):
    write_record(dataclasses.replace(ONE, number=1, notes=["class \x1b[2Jx: 1 picture"]), root)
    assert main(["report", str(root), "--run", "1"]) == 0
    assert r"class \x1b[2Jx: 1 picture" in capsys.readouterr().out


def test_settings_that_are_not_the_recipes_are_told_by_their_number(root, capsys):
    write_record(dataclasses.replace(ONE, number=1, own_settings=1), root)
    assert main(["report", str(root), "--run", "1"]) == 0
    assert "recipe fast, 1 setting of its own: not blessed" in capsys.readouterr().out


def test_the_newest_run_is_the_default_and_may_have_no_page(root, capsys):
    assert main(["report", str(root)]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("run 2 of ")
    assert "run 2 has no page: it ended before there was anything to show" in told.err


@pytest.mark.slow  # imports TFX
def test_a_run_that_was_killed_is_told_as_interrupted_and_listed(root, capfd):
    killed = dataclasses.replace(ONE, number=3, status="running", outcome="under way", metrics={})
    write_record(killed, root)
    assert main(["report", str(root)]) == 0
    assert "recipe fast: interrupted: the same command goes on" in capfd.readouterr().out
    assert ">interrupted<" in (root / "reports" / "index.html").read_text()
    assert [one.status for one in read_records(root)] == [ONE.status, ONE.status, "interrupted"]


@pytest.mark.slow  # imports TFX
def test_what_libraries_say_as_they_are_imported_stays_off_the_terminal(root, monkeypatch, capfd):
    write_record(dataclasses.replace(ONE, number=3, status="running", outcome="under way"), root)
    # To where `quiet` looks for the terminal, which under pytest is not descriptor 2.
    monkeypatch.setattr(
        "emotion_pipeline.outcome.report.list_interrupted",
        lambda _: os.write(sys.stderr.fileno(), b"cannot register cuFFT"),
    )
    capfd.readouterr()  # of the import that the line above makes
    assert main(["report", str(root)]) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.slow  # imports TFX
def test_a_run_that_is_under_way_is_left_alone(root, capfd):
    write_record(dataclasses.replace(ONE, number=3, status="running", outcome="under way"), root)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root / LOCK_FILE)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        assert main(["report", str(root)]) == 0
        assert "recipe fast: under way" in capfd.readouterr().out
        assert read_records(root)[-1].status == "running"
    finally:
        holder.kill()
        holder.wait()


@pytest.mark.slow  # imports TFX
def test_a_run_on_kubeflow_holds_no_lock_and_may_go_on(root, capfd):
    began = dataclasses.replace(ONE, number=3, status="running", outcome="under way", job="a job")
    write_record(began, root)
    assert main(["report", str(root)]) == 0
    assert "recipe fast: under way" in capfd.readouterr().out
    assert read_records(root)[-1] == began


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run", "9"], "--run 9: {root} has no such run; it has 1, 2"),
        (["--run", "-1"], "--run -1: {root} has no such run; it has 1, 2"),
    ],
)
def test_what_is_not_there_is_named(arguments, message, root, capsys):
    assert main(["report", str(root), *arguments]) == 1
    assert message.format(root=root) in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{", "[]", '{"number": 4}'])
def test_a_record_that_cannot_be_read_is_named_and_keeps_its_number(text, root, capsys):
    record = run_folder(root, 4) / "run.json"
    record.parent.mkdir()
    record.write_text(text)
    for arguments in ([], ["--run", "4"]):
        assert main(["report", str(root), *arguments]) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert f"{record}: cannot be read: it is damaged" in told.err
        assert told.err.rstrip().endswith("--run takes 1, 2")
    assert main(["report", str(root), "--run", "1"]) == 0
    assert claim_number(root) == 5
    list_runs(root, "")
    assert "cannot be read: run 4." in (root / "reports/index.html").read_text()


def test_a_run_that_left_no_record_is_no_damaged_one(root, capsys):
    run_folder(root, 4).mkdir()
    assert main(["report", str(root)]) == 1
    assert capsys.readouterr().out.startswith("run 2 of ")


def test_a_folder_without_runs_is_named(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 1
    assert f"{tmp_path}: has no runs in reports/" in capsys.readouterr().err


def test_the_page_is_printed_by_the_browser_that_is_there(root, tmp_path, monkeypatch, capsys):
    install_browser(
        tmp_path,
        monkeypatch,
        'for one in "$@"; do case $one in --print-to-pdf=*) echo "%PDF $*" > "${one#*=}";; esac; done\n',
    )
    assert main(["report", str(root), "--run", "1", "--pdf"]) == 0
    target = root / "reports" / "1" / "report.pdf"
    assert f"pdf: {target}" in capsys.readouterr().out
    text = target.read_text()
    assert text.startswith("%PDF --headless")
    assert "/a%20root/reports/1/report.html" in text


def test_a_browser_that_fails_leaves_the_pdf_before(root, tmp_path, monkeypatch):
    page = root / "reports" / "1" / "report.html"
    target = page.with_name("report.pdf")
    target.write_text("before")
    install_browser(tmp_path, monkeypatch, "echo no display >&2; exit 3\n")
    with pytest.raises(UserError, match=r"did not print .*report\.html: no display; open it"):
        print_pdf(page, target)
    assert target.read_text() == "before"


def test_without_a_browser_that_is_said(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_browser() is None
    assert main(["report", str(root), "--run", "1", "--pdf"]) == 1
    assert "--pdf: there is no Chromium or Chrome on PATH" in capsys.readouterr().err
