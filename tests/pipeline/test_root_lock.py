"""Two runs in one root: the second is refused before it writes anything."""

import json
import subprocess
import sys
import threading

import pytest

from emotion_pipeline.components.locks import LockedError
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.root_lock import owned_root


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    (folder / "logs").mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"status": "pushed"}))
    (folder / "logs" / "run.log").write_text("the first")
    return folder


@pytest.mark.parametrize("command", [["run", "--data", "sample"], ["validate", "sample"]])
def test_a_second_run_is_refused_and_touches_nothing(root, command):
    with owned_root(PipelineConfig(root=str(root))):
        done = subprocess.run(
            [sys.executable, "-m", "emotion_pipeline.cli", *command, "--root", str(root)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert f"--root {root} is in use by process " in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((root / "summary.json").read_text()) == {"status": "pushed"}
    assert (root / "logs" / "run.log").read_text() == "the first"
    assert not (root / "metadata.sqlite").exists()


def test_roots_apart_do_not_wait_and_one_folder_of_artifacts_is_not_shared(tmp_path):
    one, other = (PipelineConfig(root=str(tmp_path / name)) for name in ("a", "b"))
    with owned_root(one), owned_root(other):
        pass
    shared = str(tmp_path / "artifacts")
    one, other = (
        PipelineConfig(root=str(tmp_path / name), artifacts_dir=shared) for name in ("a", "b")
    )
    refused = []

    def second():
        try:
            with owned_root(other):
                pass
        except LockedError as error:
            refused.append(str(error))

    with owned_root(one):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert refused[0].startswith(f"artifacts_dir {shared} is in use by process ")
