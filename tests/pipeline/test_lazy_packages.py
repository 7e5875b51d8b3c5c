import importlib
import importlib.util
import pathlib
import subprocess
import sys

import pytest
from PIL import Image

from emotion_pipeline.lazy_packages import defer_init, make_lazy

PLAIN = '"""A package."""\nfrom lazy_box.one import One\nfrom lazy_box.two import Two, THREE\n'


@pytest.fixture
def box(tmp_path: pathlib.Path, monkeypatch):
    """Writes the package `lazy_box`; returns the function that gives it an `__init__`."""
    folder = tmp_path / "lazy_box"
    folder.mkdir()
    (folder / "one.py").write_text("class One: pass\n")
    (folder / "two.py").write_text("class Two: pass\nTHREE = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(init: str) -> None:
        (folder / "__init__.py").write_text(init)
        importlib.invalidate_caches()

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "lazy_box"]:
        del sys.modules[name]


def test_only_what_is_asked_for_is_imported(box):
    box(PLAIN)
    make_lazy("lazy_box")
    from lazy_box import THREE

    assert THREE == 3
    assert "lazy_box.two" in sys.modules
    assert "lazy_box.one" not in sys.modules


def test_submodules_are_found_without_the_packages_own_imports(box):
    box(PLAIN)
    make_lazy("lazy_box")
    import lazy_box.one

    assert lazy_box.one.One is lazy_box.One
    assert "lazy_box.two" not in sys.modules


def test_a_name_that_is_not_there_is_an_import_error(box):
    box(PLAIN)
    make_lazy("lazy_box")
    with pytest.raises(ImportError, match="Four"):
        from lazy_box import Four  # noqa: F401


@pytest.mark.parametrize(
    "line", ["DONE = True", "from lazy_box.two import *", "from lazy_box.two import Two as Other"]
)
def test_a_package_that_does_more_is_imported_as_ever(box, line):
    box(PLAIN + line + "\n")
    make_lazy("lazy_box")
    assert "lazy_box" not in sys.modules


def test_what_is_imported_already_stays(box):
    box(PLAIN)
    before = importlib.import_module("lazy_box")
    make_lazy("lazy_box")
    assert sys.modules["lazy_box"] is before
    assert "lazy_box.one" in sys.modules


def test_a_package_that_is_not_there_is_named():
    with pytest.raises(ModuleNotFoundError, match="no package named 'no_such_box'"):
        make_lazy("no_such_box")


@pytest.mark.slow
def test_tfxs_components_can_be_lazy():
    # Where this fails, TFX's __init__ does more than it did, and every command waits for all of TFX.
    from emotion_pipeline.lazy_packages import _imported_names

    spec = importlib.util.find_spec("tfx.components")
    names = _imported_names(pathlib.Path(spec.origin).read_text())
    assert names is not None
    assert names["Evaluator"] == "tfx.components.evaluator.component"


def test_a_module_is_imported_before_its_package_is_run(box):
    box("from lazy_box.two import *\nDONE = True\n")
    defer_init("lazy_box")
    from lazy_box import one

    assert one.One.__module__ == "lazy_box.one"
    assert "lazy_box.two" not in sys.modules


def test_a_deferred_package_runs_when_a_name_of_its_own_is_asked_for(box):
    box("from lazy_box.two import *\nDONE = True\n")
    defer_init("lazy_box")
    from lazy_box import DONE, THREE

    assert (DONE, THREE) == (True, 3)
    with pytest.raises(AttributeError):
        sys.modules["lazy_box"].FOUR  # noqa: B018


def test_a_package_within_a_deferred_one_is_deferred(box, tmp_path: pathlib.Path):
    box("DONE = True\n")
    inner = tmp_path / "lazy_box" / "inner"
    inner.mkdir()
    (inner / "__init__.py").write_text("import lazy_box.two\n")
    (inner / "leaf.py").write_text("LEAF = 1\n")
    importlib.invalidate_caches()
    defer_init("lazy_box")
    defer_init("lazy_box.inner")
    from lazy_box.inner import leaf

    assert leaf.LEAF == 1
    assert "lazy_box.two" not in sys.modules
    assert not hasattr(sys.modules["lazy_box.inner"], "no_such_name")
    assert "lazy_box.two" in sys.modules


def test_a_package_that_is_imported_or_absent_is_not_deferred(box):
    box(PLAIN)
    before = importlib.import_module("lazy_box")
    defer_init("lazy_box")
    assert sys.modules["lazy_box"] is before
    defer_init("no_such_box")
    assert "no_such_box" not in sys.modules


_AT_FIRST_COMPONENT = """
import sys
from emotion_pipeline.components import progress

class Reached(BaseException): pass

def report(message):
    if message.startswith("[ 1/"):
        raise Reached

progress.report = report
from emotion_pipeline.cli import main

for command in (["validate", sys.argv[1]], ["run", "--data", sys.argv[1]]):
    try:
        main([*command, "--root", sys.argv[2], "--verbose"])
    except Reached:
        print("reached", command[0], *(name for name in sys.argv[3:] if name in sys.modules))
"""


@pytest.mark.slow
def test_the_first_component_waits_for_nothing_that_draws_or_reads_texts(tmp_path: pathlib.Path):
    for split in ("train", "validation"):
        folder = tmp_path / "data" / split / "happy"
        folder.mkdir(parents=True)
        Image.new("L", (48, 48), 90).save(folder / "1.png")
    heavy = ["matplotlib", "matplotlib.axes", "nltk.corpus", "nltk.tag", "sklearn", "tfx.v1"]
    data, root = str(tmp_path / "data"), str(tmp_path / "root")
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            _AT_FIRST_COMPONENT,
            data,
            root,
            *heavy,
            "tensorflow_model_analysis",
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    reached = [line for line in result.stdout.splitlines() if line.startswith("reached")]
    # What is told is what is there: TFX's Evaluator, a part of the graph, imports TFMA.
    assert reached == [
        "reached validate tensorflow_model_analysis",
        "reached run tensorflow_model_analysis",
    ], result.stderr[-2000:]
