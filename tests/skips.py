"""Skips that are not expected make a test run fail: `pytest --expected-skips FILE`.

A line of the file is the id of a test, a blank and why it may be skipped; `#` begins a comment. An id may be
that of a file, for all of its tests, and may leave away a test's parameters.
"""

import pathlib

import pytest


def read_expected(path: pathlib.Path) -> dict[str, str]:
    """Returns id -> reason.

    Raises:
      UsageError: The file cannot be read, or a line has no reason.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise pytest.UsageError(f"--expected-skips {path}: {error.strerror}") from error
    expected = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, reason = line.partition(" ")
        if not reason.strip():
            raise pytest.UsageError(f"{path}:{number}: {name}: no reason is given")
        expected[name] = reason.strip()
    return expected


class ExpectedSkips:
    """Notes what is skipped, and fails the run where that is not on a list."""

    def __init__(self, expected: dict[str, str]):
        """Takes id -> reason."""
        self._expected = expected
        self._unexpected: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes a test that was skipped; what is marked as failing for now is none."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Notes a file that was skipped as a whole."""
        if report.skipped:
            self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        name = report.nodeid.partition("[")[0]
        known = {report.nodeid, name, name.partition("::")[0]}
        if not known & self._expected.keys():
            why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            self._unexpected[report.nodeid] = str(why)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fails a run that passed otherwise."""
        if self._unexpected and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Names each test that was skipped and is not on the list."""
        if self._unexpected:
            terminalreporter.section("skipped, and not on the list of --expected-skips", red=True)
            for name, why in sorted(self._unexpected.items()):
                terminalreporter.write_line(f"{name}: {why}")
