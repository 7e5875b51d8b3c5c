import importlib
import importlib.util
import pathlib
import sys

import pytest

from emotion_pipeline.lazy_packages import make_lazy

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
