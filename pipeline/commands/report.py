"""`emotion report`: the page of a run, also of an earlier one."""

import argparse
import os
import pathlib

from emotion_pipeline.commands.terminal import path_argument, quiet, tell
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.run_report.record import (
    INDEX_FILE,
    RECORD_FILE,
    REPORT_FILE,
    REPORTS_DIR,
    RUNNING,
    RunRecord,
    damaged_records,
    read_records,
    run_folder,
)
from emotion_pipeline.outcome.pdf import print_pdf

HELP = "Say how a run ended and where its page is; print the page."
PDF_FILE = "report.pdf"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion report`."""
    parser.add_argument(
        "root", metavar="ROOT", type=path_argument, help="the folder that runs were given as --root"
    )
    parser.add_argument(
        "--run", metavar="N", type=int, help="its number, as reports/index.html has it; the newest"
    )
    parser.add_argument(
        "--pdf",
        action="store_true",
        help="print the page to report.pdf beside it, by an installed Chromium",
    )


def execute(options: argparse.Namespace) -> int:
    """Tells of the run, and prints its page where that is asked for."""
    root = options.root.resolve()
    if any(one.status == RUNNING for one in read_records(root)):
        with quiet(pathlib.Path(os.devnull), options.verbose):
            from emotion_pipeline.outcome.report import list_interrupted

            list_interrupted(root)
    record = find_run(root, options.run)
    page = run_folder(root, record.number) / REPORT_FILE
    tell(
        f"run {record.number} of {record.started}, recipe {record.recipe_in_words}: {record.outcome}"
    )
    for note in record.notes:
        tell(note)
    if not record.has_ended and not options.pdf:
        tell(f"all runs: {root / REPORTS_DIR / INDEX_FILE}")
        return 0
    if not record.has_page:
        raise UserError(
            f"run {record.number} has no page: it ended before there was anything to show"
        )
    if not page.is_file():
        raise UserError(f"{page}: is gone; `emotion run` with its settings makes another")
    if options.pdf:
        print_pdf(page, page.with_name(PDF_FILE))
        tell(f"pdf: {page.with_name(PDF_FILE)}")
    tell(f"report: {page}")
    tell(f"all runs: {root / REPORTS_DIR / INDEX_FILE}")
    return 0


def find_run(root: pathlib.Path, number: int | None) -> RunRecord:
    """Returns the record of a run of a root; the newest where no number is given.

    Raises:
      UserError: There is no such run, or its record cannot be read.
    """
    records = read_records(root)
    damaged = damaged_records(root)
    wanted = max([*damaged, *(one.number for one in records)], default=0)
    wanted = wanted if number is None else number
    if wanted in damaged:
        readable = ", ".join(str(one.number) for one in records)
        raise UserError(
            f"{run_folder(root, wanted) / RECORD_FILE}: cannot be read: it is damaged, or of another "
            f"version of the project; its page, where it has one, is {REPORT_FILE} beside it"
            + (f"; --run takes {readable}" if readable else "")
        )
    if not records:
        raise UserError(
            f"{root}: has no runs in {REPORTS_DIR}/; give the folder that was the --root of `emotion run`"
        )
    if number is None:
        return records[-1]
    found = [one for one in records if one.number == number]
    if not found:
        known = ", ".join(str(one.number) for one in records)
        raise UserError(f"--run {number}: {root} has no such run; it has {known}")
    return found[0]
