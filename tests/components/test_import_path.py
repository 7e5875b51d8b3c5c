import os
import pathlib
import subprocess
import sys

import pytest

from emotion_faces.import_path import clean_path, python_command
from emotion_pipeline.shipped.location import shipped_model_dir
from emotion_pipeline.shipped.models import find_shipped

EMOTION = pathlib.Path(sys.executable).with_name("emotion")

HOSTILE = (
    *("pipeline", "components", "serving", "modules", "settings"),
    *("argparse", "runpy", "json", "pathlib", "yaml", "numpy", "tensorflow", "cv2", "psutil"),
)


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A current folder with modules of a user's, each of which leaves a file when it is run."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in HOSTILE:
        (folder / f"{name}.py").write_text(
            f"open({str(tmp_path)!r} + '/executed-{name}', 'w').close()\nraise SystemExit(77)\n"
        )
    monkeypatch.chdir(folder)
    return folder


def executed(hostile):
    return sorted(path.name for path in hostile.parent.glob("executed-*"))


def run(command, **variables):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**environment, **variables},
    )


@pytest.mark.parametrize("variables", [{}, {"PYTHONPATH": ""}, {"PYTHONPATH": ":/nowhere"}])
def test_a_child_imports_nothing_of_the_current_folder(hostile, variables):
    module = "emotion_pipeline.components.sources.kaggle_client"
    done = run(python_command(module, "not a url", str(hostile), "result"), **variables)
    assert (done.returncode, executed(hostile)) == (0, []), done.stderr
    assert "error" in pathlib.Path("result").read_text()


def test_a_child_finds_what_this_process_finds(tmp_path, monkeypatch):
    other = tmp_path / "é, with 'quotes'"
    other.mkdir()
    (other / "mine_alone.py").write_text("import sys; print(__name__, *sys.argv[1:])")
    monkeypatch.syspath_prepend(str(other))
    assert run(python_command("mine_alone", "a b")).stdout == "__main__ a b\n"


def test_the_project_is_found_where_it_lies_in_the_current_folder(monkeypatch):
    installed = next(path for path in sys.path if (pathlib.Path(path) / "emotion_faces").is_dir())
    monkeypatch.chdir(installed)
    monkeypatch.setattr(sys, "path", ["", installed, "/other"])
    assert clean_path() == [installed, "/other"]


@pytest.mark.parametrize("entry", ["", ".", "{here}", ":{here}"])
def test_the_command_takes_nothing_from_a_path_that_names_the_current_folder(hostile, entry):
    for name in ("argparse", "pathlib", "json", "runpy"):
        # Python itself, or the installed script, may import these before the project is asked.
        (hostile / f"{name}.py").unlink()
    done = run([EMOTION, "--help"], PYTHONPATH=entry.format(here=hostile))
    assert (done.returncode, executed(hostile)) == (0, []), done.stderr
    assert "Facial-emotion recognition" in done.stdout


@pytest.mark.slow
def test_the_shipped_model_is_unpacked_without_the_current_folder(hostile, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cold"))
    folder = shipped_model_dir(find_shipped(None))
    assert list(folder.glob("*/saved_model.pb"))
    assert executed(hostile) == []
