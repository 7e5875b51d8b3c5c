"""Pythons that import nothing from the current folder: this one, and those that it starts."""

# No more imports than these: what is imported before the path is clean may be a file of the user's.
import os
import sys

_VARIABLE = "PYTHONPATH"

_INSTALLED = os.path.realpath(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""The folder on the path that holds this project."""


def leave_current_folder() -> None:
    """Takes the current folder off the import path of this process and of those that it starts.

    It is there with `python -m`, with an empty entry in PYTHONPATH (`PYTHONPATH=:/mine`), or with
    PYTHONPATH itself; a user's `random.py` would stand for Python's own.
    """
    sys.path[:] = clean_path()
    if _VARIABLE in os.environ:
        os.environ[_VARIABLE] = os.pathsep.join(_clean(os.environ[_VARIABLE].split(os.pathsep)))
    os.environ["PYTHONSAFEPATH"] = "1"  # for what libraries start; Python 3.10 does not know it


def clean_path() -> list[str]:
    """Returns `sys.path` without the current folder, unless this project is installed there."""
    return _clean(sys.path)


def python_command(module: str, *arguments: str) -> list[str]:
    """Returns the command that runs a module as `python -m` does, with the import path of here.

    `-m` and `-c` put the current folder first on the path. Isolated mode does not, in every version of
    Python, but forgets PYTHONPATH; so the path is given.
    """
    code = (
        f"import sys; sys.path[:] = {clean_path()!a}; import runpy; "
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    return [sys.executable, "-I", "-c", code, *arguments]


def _clean(paths: list[str]) -> list[str]:
    current = _current_folder()
    return [
        path
        for path in paths
        if path and (os.path.realpath(path) != current or os.path.realpath(path) == _INSTALLED)
    ]


def _current_folder() -> str | None:
    try:
        return os.path.realpath(os.getcwd())
    except OSError:  # it was deleted
        return None
