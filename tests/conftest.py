import os
import pathlib
import sys
import zipfile

import pytest

from tests import quick, skips

# Keras 2 is chosen before TensorFlow is first imported, or not at all.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

_BESIDE_THE_PROJECT = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def same_scheduling():
    """SVT-AV1 makes root's thread that encodes with it, and all that it starts, real-time: they starve all others."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    yield
    os.sched_setscheduler(0, policy, parameters)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick", action="store_true", help="only tests that need no TFX and no TensorFlow"
    )
    parser.addoption(
        "--expected-skips",
        metavar="FILE",
        action="append",
        default=[],
        help="fail where a test is skipped that no such file names; may be repeated",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        sys.meta_path.insert(0, quick.Stop())
    files = config.getoption("--expected-skips")
    # The workers of xdist report to the process that started them, which judges alone.
    if files and not hasattr(config, "workerinput"):
        expected = {}
        for file in files:
            expected |= skips.read_expected(pathlib.Path(file))
        config.pluginmanager.register(skips.ExpectedSkips(expected))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Keeps a file's tests together, and all of Kubeflow's, which share a whole run."""
    from xdist.scheduler import LoadFileScheduling

    class Rooms(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "tests/kubeflow" if file.startswith("tests/kubeflow/") else file

    return Rooms(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Returns one worker more than there are cores: tests of servers and pages wait half their time."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_ignore_collect(collection_path: pathlib.Path, config: pytest.Config) -> bool | None:
    if config.getoption("--quick") and not quick.has_quick_tests(collection_path):
        return True
    return None


_FIRST = ("tests/e2e/test_run.py", "tests/kubeflow/", "tests/serving/")
"""The two longest, which keep a worker busy each, and what waits most and so goes well beside them."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: [not item.nodeid.startswith(start) for start in _FIRST])
    if config.getoption("--quick"):
        left_out = [
            item
            for item in items
            if item.get_closest_marker("slow")
            or quick.HEAVY_FIXTURES & set(getattr(item, "fixturenames", ()))
        ]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def fer2013_zip() -> pathlib.Path:
    """The archive of FER2013; the test is skipped where it is not there."""
    archive = pathlib.Path(
        os.environ.get("FER_ZIP", _BESIDE_THE_PROJECT / "face-expression-recognition-dataset.zip")
    )
    if not archive.is_file():
        if "FER_ZIP" in os.environ:
            pytest.fail(f"FER_ZIP={archive}: no such file")
        pytest.skip(f"needs FER2013, which is not there: {archive} (set FER_ZIP)")
    return archive


@pytest.fixture(scope="session")
def cases_dir() -> pathlib.Path:
    """Films and pictures that failed once; the test is skipped where they are not there."""
    folder = pathlib.Path(os.environ.get("CASES_DIR", _BESIDE_THE_PROJECT.with_name("cases")))
    if not folder.is_dir():
        pytest.skip(f"needs films and pictures that are not there: {folder} (set CASES_DIR)")
    return folder


@pytest.fixture(scope="session")
def ferplus_votes(fer2013_zip: pathlib.Path) -> pathlib.Path:
    """The votes of FER+ on FER2013's pictures, beside its archive; skipped where they are not there."""
    votes = fer2013_zip.with_name("ferplus_votes.csv")
    if not votes.is_file():
        pytest.skip(f"needs the votes of FER+, which are not there: {votes}")
    return votes


@pytest.fixture(scope="session")
def fer2013(fer2013_zip: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with FER2013 in it, as `images/<split>/<class>/`."""
    folder = tmp_path_factory.mktemp("fer2013")
    with zipfile.ZipFile(fer2013_zip) as archive:
        archive.extractall(folder)
    return folder
