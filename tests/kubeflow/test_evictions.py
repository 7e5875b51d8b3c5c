"""Pods that die at any moment, and what they leave; processes that are killed stand in for them."""

import contextlib
import dataclasses
import json
import pathlib
import random
import shutil
from multiprocessing.process import BaseProcess

import psutil
import pytest

from emotion_pipeline.components.image_ingest.manifest import read_manifest
from tests.kubeflow.conftest import PARAMETERS
from tests.kubeflow.kfp_stand_in import Run
from tests.kubeflow.pods import Forks

pytestmark = pytest.mark.slow


@dataclasses.dataclass(frozen=True)
class Evicting(Forks):
    """Kills each command, and all that it started, when so much time has passed."""

    secs: float = 0.0

    def _wait(self, process: BaseProcess) -> None:
        process.join(self.secs)
        if process.is_alive():
            # What ends by itself in this moment needs no killing.
            with contextlib.suppress(psutil.NoSuchProcess):
                started = psutil.Process(process.pid)
                for one in [*started.children(recursive=True), started]:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        one.kill()
        process.join()


class EvictedRun(Run):
    """Gives each task a first pod that dies somewhere in it, and then another one, as Argo does."""

    def __init__(self, *args, undisturbed: Run, seed: int, **kwargs):
        super().__init__(*args, **kwargs)
        draws = random.Random(seed)
        self.after_secs = {
            name: draws.uniform(0.05, 0.95) * task.seconds
            for name, task in sorted(undisturbed.tasks.items())
        }
        self.evicted: set[str] = set()

    def _run_task(self, name, starter=None):
        if super()._run_task(name, Evicting(secs=self.after_secs[name])).status == -9:
            self.evicted.add(name)
        # What was in the pod is gone with it; the store and the volumes are as it left them.
        shutil.rmtree(self._pods / name)
        return super()._run_task(name, starter)


def test_a_run_whose_pods_all_die_once_ends_as_an_undisturbed_one(compiled, whole_run, tmp_path):
    text = compiled.package.read_text()
    root, push_dir = tmp_path / "root", tmp_path / "pushed"
    for theirs, ours in ((compiled.root, root), (compiled.push_dir, push_dir)):
        assert str(theirs) in text
        text = text.replace(str(theirs), str(ours))
    package = tmp_path / "pipeline.yaml"
    package.write_text(text)
    run = EvictedRun(
        package, tmp_path / "run", Forks(), parameters=PARAMETERS, undisturbed=whole_run, seed=11
    )
    run.run()

    # One that is faster this time ends before it is killed.
    assert len(run.evicted) > len(run.tasks) / 4
    manifests = [
        read_manifest(str(one.folder("ImageIngest", "manifest"))) for one in (run, whole_run)
    ]
    assert manifests[0].table.equals(manifests[1].table)
    for task, output in (("ClassBalancer", "balanced_examples"), ("Trainer", "model")):
        ours, theirs = (contents(one.folder(task, output)) for one in (run, whole_run))
        assert ours.keys() == theirs.keys()
    assert balanced(run) == balanced(whole_run)
    ours, theirs = (trained(one) for one in (run, whole_run))
    assert ours == theirs

    pushed = run.tasks["Pusher"].outputs["pushed_model"]["metadata"]["pushed_version"]
    (version,) = push_dir.iterdir()  # no half of one, and nothing of a try that died
    assert version.name == pushed
    (expected,) = compiled.push_dir.iterdir()
    assert contents(version).keys() == contents(expected).keys()
    weights = "variables/variables.data-00000-of-00001"
    assert contents(version)[weights] == contents(expected)[weights]


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def balanced(run: Run) -> dict[str, dict[str, int]]:
    return json.loads(
        run.tasks["ClassBalancer"].outputs["balanced_examples"]["metadata"]["class_counts"]
    )


def trained(run: Run) -> dict[str, float]:
    """What was learned in the one epoch, without the times."""
    record = json.loads((run.folder("Trainer", "model_run") / "training.json").read_text())
    (epoch,) = record["history"]
    return {name: epoch[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
