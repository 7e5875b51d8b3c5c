import pathlib

import pytest

from tests.skips import ExpectedSkips, read_expected

pytest_plugins = ["pytester"]

SKIPPING = """
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_skipped(number):
    pytest.skip("nothing to see here")

@pytest.mark.xfail(reason="known")
def test_known():
    assert False

def test_passes():
    pass
"""


def run(pytester: pytest.Pytester, expected: dict[str, str]):
    return pytester.inline_run("--import-mode=prepend", plugins=[ExpectedSkips(expected)])


@pytest.mark.parametrize(
    "name", ["test_it.py", "test_it.py::test_skipped", "test_it.py::test_skipped[1]"]
)
def test_a_skip_passes_where_the_list_names_it(pytester, name):
    pytester.makepyfile(test_it=SKIPPING)
    expected = {name: "for once", "test_it.py::test_skipped[2]": "for once"}
    assert run(pytester, expected).ret == pytest.ExitCode.OK


def test_a_skip_that_no_list_names_fails_the_run(pytester):
    pytester.makepyfile(test_it=SKIPPING)
    done = run(pytester, {"test_it.py::test_skipped[1]": "for once"})
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert done.countoutcomes() == [1, 3, 0]


def test_a_file_that_is_skipped_as_a_whole_fails_the_run(pytester):
    pytester.makepyfile(test_it="import pytest\npytest.importorskip('no_such_package')")
    pytester.makepyfile(test_other="def test_passes():\n    pass")
    assert run(pytester, {}).ret == pytest.ExitCode.TESTS_FAILED
    assert run(pytester, {"test_it.py": "for once"}).ret == pytest.ExitCode.OK


def test_a_list_gives_a_reason_for_each(tmp_path):
    path = tmp_path / "skips.txt"
    path.write_text("# why\n\ntests/a.py::test_b needs a thing\n")
    assert read_expected(path) == {"tests/a.py::test_b": "needs a thing"}
    path.write_text("tests/a.py::test_b\n")
    with pytest.raises(pytest.UsageError, match=r"skips\.txt:1: tests/a\.py::test_b: no reason"):
        read_expected(path)


def test_the_lists_name_tests_that_are_there():
    root = pathlib.Path(__file__).parents[1]
    for path in (root / ".ci").glob("expected-skips*.txt"):
        for name in read_expected(path):
            file, _, test = name.partition("::")
            assert f"def {test}(" in (root / file).read_text() or not test, name
