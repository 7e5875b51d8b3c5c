"""Packages whose `__init__` imports far more than a run uses."""

import ast
import importlib
import importlib.util
import pathlib
import sys
import types


def make_lazy(package: str) -> None:
    """Lets a package import what its `__init__` imports from elsewhere only when that is asked for.

    `tfx.components` imports every component that TFX has, and with Tuner KerasTuner and with
    InfraValidator Kubernetes' client, while TFX itself and this project take a few modules of it. Nothing
    happens where the package has been imported already, or where its `__init__` does more than import
    names from modules: then it is imported as ever.

    Args:
      package: The dotted name. Its parents are imported.
    """
    if package in sys.modules:
        return
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"no package named {package!r} with a source file")
    sources = _imported_names(pathlib.Path(spec.origin).read_text(encoding="utf-8"))
    if sources is None:
        return
    module = importlib.util.module_from_spec(spec)

    def find(name: str):
        if name not in sources:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(sources[name]), name)
        setattr(module, name, value)
        return value

    module.__dict__["__getattr__"] = find
    _register(package, module)


def defer_init(package: str) -> None:
    """Lets modules of a package be imported before its `__init__` has run.

    It runs when a name is asked for that only it has. TFMA's metrics of texts, which the project has no
    use for, need one module of `nltk`, which imports 500 others. Nothing happens where the package has
    been imported already, or is not installed.

    Args:
      package: The dotted name. Its modules must not rely on what its `__init__` does.
    """
    spec = importlib.util.find_spec(package) if package not in sys.modules else None
    if spec is None or spec.loader is None or spec.submodule_search_locations is None:
        return
    loader = spec.loader
    module = importlib.util.module_from_spec(spec)

    def find(name: str):
        dotted = f"{package}.{name}"
        if not name.startswith("__") and importlib.util.find_spec(dotted) is not None:
            return importlib.import_module(dotted)
        module.__dict__.pop("__getattr__", None)
        loader.exec_module(module)
        return getattr(module, name)

    module.__dict__["__getattr__"] = find
    _register(package, module)


def _register(package: str, module: types.ModuleType) -> None:
    sys.modules[package] = module
    parent, _, name = package.rpartition(".")
    if parent:
        setattr(sys.modules[parent], name, module)


def _imported_names(source: str) -> dict[str, str] | None:
    """Returns name -> module of a source that holds nothing but `from MODULE import NAME` lines.

    None where it holds anything else, docstrings and plain assignments of `__all__` aside.
    """
    names: dict[str, str] = {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.ImportFrom(module=str(module), level=0):
                if any(alias.asname or alias.name == "*" for alias in statement.names):
                    return None
                names |= {alias.name: module for alias in statement.names}
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                pass
            case _:
                return None
    return names
