"""Which of the project's modules a module needs, read from its source and not by importing it."""

import ast
import functools
import importlib.util
import os
import pathlib
import re
from collections.abc import Iterator, Mapping

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
    sources = _sources(folder)
    waiting = [name for given in names for name in _all_below(given, sources)]
    waiting += [one for given in names for one in _heads(given) if one in sources]
    modules: dict[str, pathlib.Path] = {}
    followed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in modules:
            continue
        path = sources.get(name)
        if path is None:
            raise ModuleNotFoundError(f"no module named {name!r} with a source file")
        modules[name] = path
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        named = _names_in(path, package, file_stamp(path))
        used = {head for one in named for head in _heads(one)}
        waiting += [one for one in used - followed if one in sources]
        followed |= used
    topmost = {folder / name for name in PROJECT}
    packages = {path.parent for path in modules.values()} - topmost
    data = {file for package in packages for file in _data_of(package)}
    files = {path.relative_to(folder).as_posix(): path for path in {*modules.values(), *data}}
    return dict(sorted(files.items()))


def _sources(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Returns the file of each module and package below the project's packages, by its dotted name.

    The folders are listed once: to look for a file under each of thousands of names takes ten times as long.
    """
    found: dict[str, pathlib.Path] = {}
    for top in PROJECT:
        # Links are followed: a package is a link in the source tree.
        for parent, folders, files in os.walk(folder / top, followlinks=True):
            folders[:] = [name for name in folders if name != "__pycache__"]
            package = ".".join(pathlib.Path(parent).relative_to(folder).parts)
            for file in files:
                stem, suffix = os.path.splitext(file)
                if suffix == ".py" and stem != "__init__":
                    found.setdefault(f"{package}.{stem}", pathlib.Path(parent, file))
            if "__init__.py" in files:
                found[package] = pathlib.Path(parent, "__init__.py")
    return found


def _all_below(name: str, sources: Mapping[str, pathlib.Path]) -> list[str]:
    """Returns a module's name, or a package's with those of all modules below it."""
    if name not in sources or sources[name].name != "__init__.py":
        return [name]
    return [name, *(one for one in sources if one.startswith(f"{name}."))]


def _heads(dotted: str) -> list[str]:
    """Returns a dotted name and those above it, of which some are modules: `a.b.C` gives `a`, `a.b` and itself."""
    parts = dotted.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def file_stamp(path: pathlib.Path) -> tuple[int, ...]:
    """Returns numbers that change whenever somebody writes a file; what was read of it is kept by them."""
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@functools.lru_cache(maxsize=1024)
def _names_in(path: pathlib.Path, package: str, stamp: tuple[int, ...]) -> frozenset[str]:
    """Returns the dotted names of the project that a source imports or names in a text."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
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
    for entry in sorted(package.iterdir()):
        if entry.is_file():
            if not entry.name.endswith((".py", ".pyc", "~")):
                yield entry
        elif entry.name != "__pycache__" and not (entry / "__init__.py").is_file():
            yield from _data_of(entry)
