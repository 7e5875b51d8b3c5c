"""Takes away what of TensorFlow the embedded model server cannot reach: python reachable.py SITE_PACKAGES.

Reached is what an import statement names, wherever it stands in a module that is reached, and what a lazy loader is
given the name of. The server runs no `tensorflow/__init__.py` (serving/protos.py), so that is a third of the modules.
"""

import ast
import pathlib
import re
import shutil
import sys
from collections.abc import Iterator

SERVER_IMPORTS = (
    "tensorflow.core",
    "tensorflow.python.client.pywrap_tf_session",
    "tensorflow.python.client.session",
    "tensorflow.python.framework.errors",
    "tensorflow.python.framework.ops",
    "tensorflow.python.lib.io.tf_record",
    "tensorflow.python.saved_model.loader",
    "tensorflow_serving",
)
"""What the server imports: modules, and packages of which it may need any module."""

_LAZY = re.compile(r"tensorflow(\.\w+)+")


def reachable(site_packages: pathlib.Path) -> set[pathlib.Path]:
    """Returns the files of TensorFlow's modules, extensions among them, that the server may import."""
    reached: set[pathlib.Path] = set()
    pending = [name for root in SERVER_IMPORTS for name in _with_all_within(site_packages, root)]
    while pending:
        name = pending.pop()
        file = _file(site_packages, name)
        if file is None or file in reached:
            continue
        reached.add(file)
        parts = name.split(".")
        # Python runs the packages that a module is in, but for the one whose place the server fills itself.
        pending += [".".join(parts[:count]) for count in range(2, len(parts))]
        if file.suffix == ".py":
            package = parts if file.name == "__init__.py" else parts[:-1]
            pending += _named(ast.parse(file.read_bytes()), package)
    return reached


def leave_only(site_packages: pathlib.Path, reached: set[pathlib.Path]) -> None:
    """Removes TensorFlow's modules but those, and each folder that holds none of them.

    Libraries and data beside a module stay.
    """
    root = site_packages / "tensorflow"
    folders = sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True)
    for folder in folders:
        if folder.name != "__pycache__" and not any(folder in file.parents for file in reached):
            shutil.rmtree(folder)
    for path in [*root.rglob("*.py"), *root.rglob("*.so")]:
        is_library = path.name.startswith("lib")
        if path not in reached and path.parent != root and not is_library:
            path.unlink()
            for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
                compiled.unlink()


def _named(tree: ast.AST, package: list[str]) -> Iterator[str]:
    """Yields what a module's statements import, and what it has the name of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Constant) and _LAZY.fullmatch(str(node.value)):
            yield str(node.value)


def _with_all_within(site_packages: pathlib.Path, name: str) -> Iterator[str]:
    yield name
    for path in site_packages.joinpath(*name.split(".")).rglob("*.py"):
        within = path.relative_to(site_packages).with_suffix("")
        yield ".".join(within.parent.parts if within.name == "__init__" else within.parts)


def _file(site_packages: pathlib.Path, name: str) -> pathlib.Path | None:
    """Returns a module's file; None for what is no module of TensorFlow's."""
    if not name.startswith(("tensorflow.", "tensorflow_serving")):
        return None
    place = site_packages.joinpath(*name.split("."))
    candidates = (
        place / "__init__.py",
        place.with_name(place.name + ".so"),
        place.with_name(place.name + ".py"),
    )
    return next((one for one in candidates if one.is_file()), None)


def main() -> int:
    """Leaves what the server may import of the packages in a folder; returns the exit status."""
    site_packages = pathlib.Path(sys.argv[1])
    reached = reachable(site_packages)
    leave_only(site_packages, reached)
    print(f"TensorFlow: {len(reached)} modules that the server may import are left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
