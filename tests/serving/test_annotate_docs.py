"""The example of docs/annotate.md, run against a server as the reader would have one."""

from __future__ import annotations

import pathlib
import re

import cv2
import pytest

from emotion_faces import local_server
from tests.serving import models

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "annotate.md"


@pytest.mark.slow
def test_the_python_example_runs_as_printed(tmp_path, monkeypatch, capsys):
    data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")
    cv2.imwrite(str(tmp_path / "holiday.jpg"), data.astronaut()[:, :, ::-1])
    version_dir = models.write_emotion(tmp_path / "model" / "1")
    [example] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    with local_server.serve_folder(version_dir.parent) as address:
        exec(example.replace("127.0.0.1:8500", address), {})
    left, label, probability = capsys.readouterr().out.split()
    assert 150 < int(left) < 200
    assert label in models.LABELS
    assert 0 <= float(probability) <= 1
