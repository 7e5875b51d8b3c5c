r"""How many small mistakes in the code that decides the tests find.

    python -m benchmarks.quality.mutants [SUBJECT...] [--sample N] [--seed N] [--jobs N]

A mutant is a module with one expression changed, by the operators of mutmut; its tests run until one
fails. No file is touched: each mutant lives in a forked process of its own, in which the module is
imported from the changed text, while the libraries that the tests need are imported once. mutmut's own
runner copies the sources and finds none behind the links in `src/`.

What is not changed: docstrings, annotations, decorators, imports, and text in words (a string with a space in it),
whose every letter no test should hold. A mutant whose tests end in an error, or have not ended a minute
after ten times their usual time, counts as killed.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import difflib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import pathlib
import random
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from typing import NoReturn

import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SLACK_SECS = 60
PASSED = 0
_NOT_RUN = (4, 5)
"""pytest's exit states: wrongly called, and nothing found."""
_OURS = ("__main__", "emotion_pipeline", "emotion_faces", "tests", "benchmarks", "conftest")


@dataclasses.dataclass(frozen=True)
class Subject:
    """Modules that decide one thing, by their path, and the quick tests that hold them."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


_COMPONENTS = "tests/components"
SUBJECTS = {
    "kinds": Subject(
        ("components/image_findings/kinds.py", "components/image_findings/uninformative.py"),
        (
            f"{_COMPONENTS}/image_findings/test_kinds.py",
            f"{_COMPONENTS}/image_findings/test_uninformative.py",
        ),
    ),
    "findings": Subject(
        ("components/image_findings/findings.py",),
        (
            f"{_COMPONENTS}/image_findings/test_findings.py",
            f"{_COMPONENTS}/image_findings/test_kinds.py",
        ),
    ),
    "gate": Subject(
        ("components/anomaly_gate/anomalies.py",),
        (f"{_COMPONENTS}/anomaly_gate/test_anomalies.py",),
    ),
    "bar": Subject(
        ("components/model_evaluator/comparison.py",),
        (f"{_COMPONENTS}/model_evaluator/test_comparison.py",),
    ),
    "judgement": Subject(
        ("components/model_evaluator/judgement.py", "pipeline/evaluation.py"),
        (f"{_COMPONENTS}/model_evaluator/test_judgement.py", "tests/pipeline/test_evaluation.py"),
    ),
    "balance": Subject(
        ("components/class_balancer/plan.py",), (f"{_COMPONENTS}/class_balancer/test_plan.py",)
    ),
    "split": Subject(
        ("components/image_ingest/draw.py",), (f"{_COMPONENTS}/image_ingest/test_draw_rules.py",)
    ),
    "push": Subject(
        ("components/model_pusher/push.py", "components/served_model.py"),
        (
            f"{_COMPONENTS}/model_pusher/test_push.py",
            f"{_COMPONENTS}/model_pusher/test_served_model.py",
        ),
    ),
    "settings": Subject(
        ("pipeline/settings.py", "pipeline/configs.py", "pipeline/train_config.py"),
        ("tests/pipeline/test_settings.py",),
    ),
    "batching": Subject(
        ("serving/model_server/batching.py",), ("tests/serving/model_server/test_batching.py",)
    ),
    "versions": Subject(
        ("serving/model_server/versions.py",), ("tests/serving/model_server/test_versions.py",)
    ),
}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A changed source: its module, the line, and what was there and is now."""

    module: str
    line: int
    change: str
    source: str


def import_name(path: str) -> str:
    """Returns the name by which a module of the repository is imported."""
    parts = pathlib.PurePosixPath(path).with_suffix("").parts
    package = {
        "pipeline": ("emotion_pipeline",),
        "components": ("emotion_pipeline", "components"),
        "serving": ("emotion_faces",),
    }[parts[0]]
    return ".".join((*package, *parts[1:]))


class _Changes(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        self.found: list[tuple[int, cst.CSTNode, cst.CSTNode]] = []

    def visit_Annotation(self, node: cst.Annotation) -> bool:  # noqa: N802
        return False

    def visit_Decorator(self, node: cst.Decorator) -> bool:  # noqa: N802
        return False

    def visit_Import(self, node: cst.Import) -> bool:  # noqa: N802
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:  # noqa: N802
        return False

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.SimpleString) and " " in node.value:
            return False
        line = self.get_metadata(PositionProvider, node).start.line
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                changed = list(operator(node))
                if isinstance(node, cst.SimpleString):
                    changed = changed[:1]  # the others change the case alone
                self.found += [(line, node, one) for one in changed]
        return super().on_visit(node)


def mutants_of(path: str) -> Iterator[Mutant]:
    """Yields every mutant of a module, in the order of its lines."""
    source = (REPOSITORY / path).read_text(encoding="utf-8")
    wrapper = MetadataWrapper(cst.parse_module(source))
    changes = _Changes()
    wrapper.visit(changes)
    seen = {source}
    for line, node, changed in sorted(changes.found, key=lambda found: found[0]):
        text = wrapper.module.deep_replace(node, changed).code  # type: ignore[arg-type]
        if text not in seen:
            seen.add(text)
            lines = difflib.unified_diff(source.splitlines(), text.splitlines(), n=0, lineterm="")
            told = [one for one in lines if not one.startswith(("---", "+++", "@@"))]
            yield Mutant(path, line, "\n".join(told), text)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module in a changed text, and leaves all others to Python."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = import_name(mutant.module)
        self._path = str(REPOSITORY / mutant.module)
        self._source = mutant.source

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self._name:
            return None
        loader = _Loader(fullname, self._path, self._source)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname):
        return compile(self._source, self.path, "exec", dont_inherit=True)


def run_tests(
    tests: Sequence[str],
    mutant: Mutant | None,
    timeout_secs: float,
    names_to: pathlib.Path | None = None,
) -> int:
    """Runs tests in a forked process, until the first that fails.

    Args:
      tests: Files and folders of them.
      mutant: What is imported in its module's place; None for the project as it is.
      timeout_secs: After which the process is ended.
      names_to: A file for the names of the modules that are imported in the end.

    Returns:
      pytest's exit state; negative where a signal, or the time, ended it.
    """
    process = os.fork()
    if not process:
        _run_and_leave(tests, mutant, timeout_secs, names_to)
    descriptor = os.pidfd_open(process)
    try:
        select.select([descriptor], [], [], timeout_secs)
        # Not reaped yet, so the number is still its own; what it started goes too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    finally:
        os.close(descriptor)


def _run_and_leave(
    tests: Sequence[str],
    mutant: Mutant | None,
    timeout_secs: float,
    names_to: pathlib.Path | None,
) -> NoReturn:
    status = 1
    try:
        os.setsid()
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(silence, stream)
        bound = int(timeout_secs) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (bound, bound))
        if mutant is not None:
            sys.meta_path.insert(0, _Finder(mutant))
        status = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]))
        if names_to is not None:
            # A module without a file stands in for a library that is not to be imported.
            loaded = [name for name, one in [*sys.modules.items()] if hasattr(one, "__file__")]
            names_to.write_text("\n".join(loaded))
    finally:
        os._exit(status)


def import_libraries(tests: Sequence[str]) -> float:
    """Imports what the tests import, but the project and the tests; returns the tests' seconds.

    Raises:
      SystemExit: The tests fail without a mutant.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = pathlib.Path(folder, "names")
        if (status := run_tests(tests, None, 1200, names)) != PASSED:
            raise SystemExit(f"mutants: without a mutant {' '.join(tests)} ends with {status}")
        for name in names.read_text().split():
            if name.partition(".")[0] not in _OURS:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
        start = time.monotonic()
        run_tests(tests, None, 1200)
    return time.monotonic() - start


def judge(name: str, sample: int | None, seed: int, jobs: int) -> None:
    """Prints the mutants of a subject that live, and how many of them all do not."""
    subject = SUBJECTS[name]
    secs = import_libraries(subject.tests)
    mutants = [mutant for module in subject.modules for mutant in mutants_of(module)]
    if sample is not None and sample < len(mutants):
        chosen = sorted(random.Random(seed).sample(range(len(mutants)), sample))
        mutants = [mutants[number] for number in chosen]
    print(f"{name}: {len(mutants)} mutants, {secs:.1f} s for each one's tests", flush=True)

    def lives(mutant: Mutant) -> bool:
        status = run_tests(subject.tests, mutant, SLACK_SECS + 10 * secs)
        if status in _NOT_RUN:
            raise RuntimeError(f"pytest ends with {status}: {' '.join(subject.tests)}")
        return status == PASSED

    alive = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for mutant, is_alive in zip(mutants, pool.map(lives, mutants), strict=True):
            if is_alive:
                alive += 1
                print(f"{mutant.module}:{mutant.line}\n{mutant.change}", flush=True)
    killed = len(mutants) - alive
    print(f"{name}: {killed} of {len(mutants)} killed, {killed / len(mutants):.1%}", flush=True)


def main() -> None:
    """Judges the subjects that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(SUBJECTS))
    parser.add_argument("--sample", type=int, metavar="N", help="so many mutants of each, drawn")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which are drawn (1)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="mutants at a time (2)")
    options = parser.parse_args()
    for name in options.subjects:
        if name not in SUBJECTS:
            parser.error(f"no subject {name!r}; subjects are {', '.join(SUBJECTS)}")
    os.chdir(REPOSITORY)
    sys.path.insert(0, str(REPOSITORY))
    os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3")
    for name in options.subjects or SUBJECTS:
        # A process for each, since libraries that are imported stay.
        process = os.fork()
        if not process:
            status = 1
            try:
                judge(name, options.sample, options.seed, options.jobs)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(status)
        if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
