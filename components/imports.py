"""Which of the project's modules a module needs, read from its source and not by importing it."""

import ast
import functools
import importlib.util
import pathlib
import re
from collections.abc import Iterator

PROJECT = ("emotion_pipeline", "emotion_faces")
"""The project's packages; what a step needs may lie in either."""

_DOTTED = re.compile(rf"({'|'.join(PROJECT)})(\.\w+)+")


def project_dir() -> pathlib.Path:
    """Returns the folder that the project's packages are installed in."""
    spec = importlib.util.find_spec(PROJECT[0])
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no package named {PROJECT[0]!r} with a source file")
    return pathlib.Path(spec.origin).parents[1]


def needed_files(names: tuple[str, ...], folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Returns every file of the project that modules depend on, by a name that no machine changes.

    A module depends on what it imports, at its top or within a function, on the packages above it,
    and on what it names in a text: TFX takes a function's dotted name, and a process of its own a
    module's. A package that is named here stands for all below it. Files that are no Python, such as
    a template, count with the package they lie in; those of the topmost packages, the schema and
    files for deployment, do not: nothing finds them by importing.

    Args:
      names: Dotted names of modules and packages.
      folder: Of the project's packages.

    Returns:
      The files by their posix path below `folder`.

    Raises:
      ModuleNotFoundError: A name is no module of the project.
    """
    waiting = [name for given in names for name in _all_below(given, folder)]
    waiting += [one for given in names for one in _heads(given) if _source(one, folder)]
    modules: dict[str, pathlib.Path] = {}
    followed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in modules:
            continue
        path = _source(name, folder)
        if path is None:
            raise ModuleNotFoundError(f"no module named {name!r} with a source file")
        modules[name] = path
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        used = {head for one in _names_in(path.read_bytes(), package) for head in _heads(one)}
        waiting += [one for one in used - followed if _source(one, folder)]
        followed |= used
    topmost = {folder / name for name in PROJECT}
    packages = {path.parent for path in modules.values()} - topmost
    data = {file for package in packages for file in _data_of(package)}
    return {
        path.relative_to(folder).as_posix(): path for path in sorted({*modules.values(), *data})
    }


def _source(name: str, folder: pathlib.Path) -> pathlib.Path | None:
    """Returns the file of a module or package; None where there is none of the name."""
    parts = name.split(".")
    if parts[0] not in PROJECT:
        return None
    place = folder.joinpath(*parts)
    candidates = [place / "__init__.py", *([place.with_suffix(".py")] if parts[1:] else [])]
    return next((one for one in candidates if one.is_file()), None)


def _all_below(name: str, folder: pathlib.Path) -> list[str]:
    path = _source(name, folder)
    if path is None or path.name != "__init__.py":
        return [name]
    files = (file.relative_to(path.parent) for file in _walk(path.parent) if file.suffix == ".py")
    parts = (list(file.with_suffix("").parts) for file in files)
    return [".".join([name, *(part for part in one if part != "__init__")]) for one in parts]


def _heads(dotted: str) -> list[str]:
    """Returns a dotted name and those above it, of which some are modules: `a.b.C` gives `a`, `a.b` and itself."""
    parts = dotted.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


@functools.lru_cache(maxsize=1024)
def _names_in(source: bytes, package: str) -> frozenset[str]:
    """Returns the dotted names of the project that a source imports or names in a text."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and _DOTTED.fullmatch(str(node.value)):
            names.add(str(node.value))
    return frozenset(name for name in names if name.split(".")[0] in PROJECT)


def _data_of(package: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the files below a package's folder that are no code and in no package below it."""
    for file in _walk(package, into_packages=False):
        if file.suffix != ".py":
            yield file


def _walk(folder: pathlib.Path, into_packages: bool = True) -> Iterator[pathlib.Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_file() and not entry.name.endswith((".pyc", "~")):
            yield entry
        elif (
            entry.is_dir()
            and entry.name != "__pycache__"
            and (into_packages or not (entry / "__init__.py").is_file())
        ):
            yield from _walk(entry, into_packages)
