"""A package compiled by the command, as its users compile it, and one whole run of it."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING

import pytest

from emotion_pipeline.components.sources.sample_data import draw_sample
from tests.e2e.conftest import emotion

if TYPE_CHECKING:
    from tests.kubeflow.kfp_stand_in import Run

PARAMETERS = {"train_epochs": 1, "seed": 5}
"""What the whole run is submitted with; the package was compiled with other values."""


@dataclasses.dataclass(frozen=True)
class Compiled:
    """The folders, and the package."""

    package: pathlib.Path
    data: pathlib.Path
    root: pathlib.Path
    push_dir: pathlib.Path


@pytest.fixture(scope="session")
def compiled(tmp_path_factory) -> Compiled:
    folder = tmp_path_factory.mktemp("kubeflow")
    made = Compiled(folder / "pipeline.yaml", folder / "data", folder / "root", folder / "pushed")
    draw_sample(made.data, images=140, seed=3)
    done = emotion(
        "kubeflow", "compile", "--out", made.package, "--data", made.data, "--root", made.root,
        "--push-dir", made.push_dir, "--epochs", 100, "--batch-size", 32,
        "--set", "thresholds.accuracy=0", "--set", "thresholds.macro_f1=0",
        "--data-claim", "", "--models-claim", "", forked=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.fixture(scope="session")
def whole_run(compiled, tmp_path_factory) -> Run:
    """Every task, as open-source Kubeflow Pipelines runs it."""
    from tests.kubeflow.kfp_stand_in import Run
    from tests.kubeflow.pods import Forks

    run = Run(compiled.package, tmp_path_factory.mktemp("run"), Forks(), parameters=PARAMETERS)
    run.run()
    return run
