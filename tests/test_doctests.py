"""The worked examples of the docstrings give exactly what they say."""

import doctest
import importlib
import pathlib

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = {
    "pipeline": "emotion_pipeline",
    "components": "emotion_pipeline.components",
    "serving": "emotion_faces",
}


def modules() -> list[str]:
    """Returns the modules that hold an example."""
    found = []
    for folder, package in PACKAGES.items():
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            inside = path.relative_to(REPOSITORY / folder).with_suffix("")
            if inside.parts[0] != "components" and ">>> " in path.read_text(encoding="utf-8"):
                found.append(".".join((package, *inside.parts)))
    return found


@pytest.mark.parametrize("name", modules())
def test_examples_give_what_they_say(name):
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted > 0
    assert done.failed == 0
