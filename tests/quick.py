"""Which tests need no TFX and no TensorFlow: those that `pytest --quick`, and so `make check`, runs.

A test file is told by what it imports: by its own import statements, wherever they stand, and by those that
the project's modules run as they are imported. What a test imports in another way is stopped as it runs, so a
file that is taken for quick and is not fails instead of taking its time.
"""

import ast
import functools
import importlib.abc
import importlib.machinery
import pathlib
import types

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
HEAVY = frozenset(
    {
        "apache_beam",
        "kfp",
        "ml_metadata",
        "tensorflow",
        "tensorflow_data_validation",
        "tensorflow_model_analysis",
        "tensorflow_transform",
        "tf_keras",
        "tfx",
        "tfx_bsl",
    }
)
STARTS_COMMANDS = (
    "tests/e2e/",
    "tests/kubeflow/",
    "tests/serving/conformance/",
    "tests/test_doctests.py",
)
"""Where tests start the command or a server, which import these in a process of their own, or import by name."""

HEAVY_FIXTURES = frozenset({"models_dir", "model_dir"})
"""Fixtures that write models with TensorFlow, or serve them."""

_TAKES_MESSAGES_ALONE = "emotion_faces.protos"
"""It imports TensorFlow's messages and keeps TensorFlow out."""

_ROOTS = {
    "emotion_pipeline": REPOSITORY / "src" / "emotion_pipeline",
    "emotion_faces": REPOSITORY / "src" / "emotion_faces",
    "tests": REPOSITORY / "tests",
    "benchmarks": REPOSITORY / "benchmarks",
}


def is_quick(test_file: pathlib.Path) -> bool:
    """Returns whether a test file needs none of the heavy packages, as far as its source says."""
    path = test_file.resolve().relative_to(REPOSITORY)
    if path.as_posix().startswith(STARTS_COMMANDS):
        return False
    return not needs(test_file)


def has_quick_tests(path: pathlib.Path) -> bool:
    """Returns whether a folder has a quick test below it, or a file is one; true of any other file."""
    if path.is_dir():
        return any(is_quick(test_file) for test_file in path.rglob("test_*.py"))
    is_test = path.name.startswith("test_") and path.suffix == ".py"
    return not is_test or is_quick(path)


def needs(test_file: pathlib.Path) -> frozenset[str]:
    """Returns the heavy packages that importing and running a test file imports."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(_imports(test_file, everywhere=True))
    for folder in test_file.resolve().relative_to(REPOSITORY).parents:
        conftest = REPOSITORY / folder / "conftest.py"
        if conftest.is_file():
            waiting += _imports(conftest, everywhere=False)
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        if top in HEAVY:
            found.add(top)
        if top not in _ROOTS or name in seen:
            continue
        seen.add(name)
        if "." in name:
            # `from package import name` may name a module or something within one.
            waiting.append(name.rpartition(".")[0])
        source = _source(name)
        if source is not None and name != _TAKES_MESSAGES_ALONE:
            waiting += _imports(source, everywhere=False)
    return frozenset(found)


def _source(name: str) -> pathlib.Path | None:
    top, *rest = name.split(".")
    path = _ROOTS[top].joinpath(*rest)
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return None


@functools.cache
def _imports(path: pathlib.Path, everywhere: bool) -> tuple[str, ...]:
    """Returns the dotted names that a file imports: as it is imported, or everywhere in it."""
    names: list[str] = []
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            if everywhere:
                waiting += ast.iter_child_nodes(node)
        elif not _is_for_types_alone(node):
            waiting += ast.iter_child_nodes(node)
    return tuple(names)


def _is_for_types_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


class Stop(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Fails the import of a heavy package, which can still be found."""

    def find_spec(self, name: str, path=None, target=None):
        """Returns the package's own spec, to be loaded by what fails; None for any other name."""
        if name not in HEAVY:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            spec.loader = self
        return spec

    def exec_module(self, module: types.ModuleType) -> None:
        """Raises ImportError."""
        raise ImportError(
            f"{module.__name__} was imported in a quick run. A file that needs it runs without --quick, so "
            "do not name it here; where a test needs it, import it by a statement in the test, from which "
            "tests/quick.py can tell, or mark the test slow"
        )
