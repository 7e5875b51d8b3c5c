"""Commands and examples of the documents, run as they are printed: only addresses are others."""

import pathlib
import re
import shlex
import signal
import subprocess
import sys
import urllib.request

import cv2
import numpy as np
import pytest
import skimage.data

from emotion_pipeline.cli import main
from tests.documented import AS_PRINTED, REPOSITORY, RUN_BY
from tests.serving.films import write_film

PRINTED_SERVER = "127.0.0.1:8500"
WEB = "tests/serving/test_documented.py::test_the_page_starts_as_printed"

pytestmark = pytest.mark.slow


@pytest.fixture
def files(tmp_path, models_dir, monkeypatch):
    """The current folder, with what the commands name."""
    for name in ("holiday.jpg", "photo.jpg", "face.jpg", "photos/a.png", "folder/b.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, np.full((60, 50), 90, np.uint8))[1].tobytes())
    for name in ("party.mp4", "film.mp4", "talk.mov"):
        write_film(tmp_path / name, [np.full((48, 64, 3), 90, np.uint8)] * 6)
    (tmp_path / "push").mkdir()
    (tmp_path / "push" / "emotion").symlink_to(models_dir / "emotion")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words_of(line: str, server: str) -> list[str]:
    """The command's words; where it names neither server nor model, it asks the tests' own."""
    words = shlex.split(line.replace(PRINTED_SERVER, server))[1:]
    asks = words[0] in ("annotate", "explain", "predict", "web")
    if asks and not {"--server", "--model-dir"} & set(words):
        words += ["--server", server]
    return words


@pytest.mark.parametrize("line", RUN_BY[AS_PRINTED])
def test_a_command_runs_as_printed(line, emotion_server, files):
    before = set(files.rglob("*"))
    words = words_of(line, emotion_server)
    assert main(words) == 0
    made = {path.relative_to(files).as_posix() for path in set(files.rglob("*")) - before}
    if words[0] == "annotate":
        out = "marked"
        named = [word for word in words if (files / word).is_file() and word.count(".") == 1]
        for name in (word for word in named if not word.endswith(".parquet")):
            marked = pathlib.Path(name).with_suffix(".jpg" if name.endswith(".jpg") else ".mp4")
            assert any(path.startswith(f"{out}/{marked.stem}.") for path in made), made
        assert {f"{out}/faces.csv", "talk.parquet"} & made


@pytest.mark.parametrize("line", RUN_BY[WEB])
def test_the_page_starts_as_printed(line, emotion_server, files):
    process = subprocess.Popen(
        [sys.executable, "-m", "emotion_pipeline.cli", *words_of(line, emotion_server), "--port=0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert b"<title>" in answer.read()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@pytest.mark.parametrize("document", ["light.md", "serving.md", "start.md"])
def test_the_python_examples_run_as_printed(document, emotion_server, files, capsys):
    for name in ("holiday.jpg", "photo.jpg"):
        cv2.imwrite(name, skimage.data.astronaut()[:, :, ::-1])
    text = (REPOSITORY / "docs" / document).read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert examples
    for example in examples:
        exec(example.replace(PRINTED_SERVER, emotion_server), {})
    # The pictures here have no face: an example that looks for faces prints nothing of them.
    assert re.search(r"probabilities|0\.\d", capsys.readouterr().out)


def test_help_into_a_pipe_that_is_closed_says_nothing():
    process = subprocess.Popen(
        [sys.executable, "-m", "emotion_faces.model_server", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 1
