"""The notebook of examples runs, in a kernel of its own, beside a photograph."""

import pathlib
import re

import nbclient
import nbformat
import pytest
from PIL import Image

NOTEBOOK = pathlib.Path(__file__).parents[2] / "examples" / "emotions.ipynb"


@pytest.mark.slow
def test_the_notebook_runs_and_answers_what_it_shows(tmp_path, astronaut):
    Image.fromarray(astronaut).save(tmp_path / "photo.jpg", quality=95)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    shown = outputs_of(notebook)
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    run = outputs_of(notebook)
    assert len(run) == 5
    assert [kind for kind, _ in run] == ["text", "text", "text", "picture", "text"]
    # Labels and words; figures may differ with the libraries' versions.
    assert [re.findall("[a-z_]{3,}", text) for _, text in run] == [
        re.findall("[a-z_]{3,}", text) for _, text in shown
    ]
    assert run[0][1] == "'happy'"


def outputs_of(notebook):
    """Of each code cell that has outputs, whether they are a picture, and the text."""
    found = []
    for cell in notebook.cells:
        outputs = cell.get("outputs", ())
        data = [output.get("data", {"text/plain": output.get("text", "")}) for output in outputs]
        if any("image/png" in one for one in data):
            found.append(("picture", ""))
        elif data:
            found.append(("text", "".join(one["text/plain"] for one in data)))
    return found
