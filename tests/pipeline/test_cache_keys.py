"""A component's key changes with everything that decides what the component makes."""

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from emotion_pipeline.components import fingerprint, imports, versions
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.pipeline import create_pipeline
from emotion_pipeline.train_config import TrainConfig

# What TFX finds by a name in a property and not by an import of the executor's.
USER_MODULES = {
    "Transform": "emotion_pipeline.modules.transform_module",
    "Trainer": "emotion_pipeline.modules.trainer_module",
    "Evaluator": "emotion_pipeline.components.model_metrics",
}

_LIST_IMPORTS = """
import importlib, json, sys
import tensorflow_model_analysis, tensorflow_data_validation  # once, they are the slow ones
found = {}
for node, names in json.load(sys.stdin).items():
    for name in [one for one in sys.modules if one.split(".")[0] in ("emotion_pipeline", "emotion_faces")]:
        del sys.modules[name]
    for name in names:
        importlib.import_module(name)
    found[node] = [one for one in sys.modules if one.split(".")[0] in ("emotion_pipeline", "emotion_faces")]
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    shutil.copy(PipelineConfig().schema_path, folder / "schema.pbtxt")
    (folder / "data" / "happy").mkdir(parents=True)
    return PipelineConfig(
        root=str(folder / "root"),
        data=str(folder / "data"),
        schema=str(folder / "schema.pbtxt"),
    )


def properties(config: PipelineConfig) -> dict[str, str]:
    """What of each component's key is no input."""
    components = create_pipeline(config).components
    return {one.id: json.dumps(one.exec_properties, sort_keys=True) for one in components}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {node for node in before if before[node] != after[node]}


@pytest.fixture(scope="module")
def imported(config) -> dict[str, list[str]]:
    """The project's modules that Python loads for each component's executor."""
    asked = {}
    for component in create_pipeline(config).components:
        executor = component.executor_spec.executor_class.__module__
        asked[component.id] = [executor, *filter(None, [USER_MODULES.get(component.id)])]
    done = subprocess.run(
        [sys.executable, "-c", _LIST_IMPORTS],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture
def copied(tmp_path, monkeypatch) -> pathlib.Path:
    """A copy of the project's sources, from which fingerprints are taken."""
    for name in imports.PROJECT:
        shutil.copytree(
            imports.project_dir() / name,
            tmp_path / name,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    monkeypatch.setattr(fingerprint, "project_dir", lambda: tmp_path)
    return tmp_path


def test_an_edit_of_any_module_that_a_component_imports_runs_it_again(config, imported, copied):
    before = properties(config)
    assert set(imported) == set(before)
    modules = sorted({name for names in imported.values() for name in names})
    assert len(modules) > 50
    for name in modules:
        place = copied.joinpath(*name.split("."))
        path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        source = path.read_text()
        path.write_text(source + "\n# edited\n")
        again = changed(before, properties(config))
        path.write_text(source)
        users = {node for node, names in imported.items() if name in names}
        assert users <= again, f"{name} was edited, and the old result stood for {users - again}"
    assert properties(config) == before


@pytest.mark.parametrize(
    ("name", "users"),
    [
        ("model_metrics.py", {"Evaluator"}),
        ("scores.py", {"Evaluator", "RunReport", "Trainer"}),
        ("model_evaluator/comparison.py", {"Evaluator", "RunReport"}),
        ("model_pusher/push.py", {"Pusher"}),
    ],
)
def test_an_edit_runs_again_what_uses_it_and_nothing_else(config, copied, name, users):
    before = properties(config)
    path = copied / "emotion_pipeline" / "components" / name
    path.write_text(path.read_text() + "\n# edited\n")
    assert changed(before, properties(config)) == users


def test_the_evaluator_knows_every_metric_that_its_configuration_names(config, copied):
    votes = pathlib.Path(config.root).parent / "votes.csv"
    votes.write_text("no votes")
    with_votes = dataclasses.replace(config, votes=str(votes))
    path = copied / "emotion_pipeline" / "components" / "vote_metrics.py"
    source = path.read_text()
    for one, users in ((with_votes, {"Evaluator"}), (config, set())):
        before = properties(one)
        path.write_text(source + "\n# edited\n")
        assert changed(before, properties(one)) == users
        path.write_text(source)


def test_another_share_for_the_temperature_trains_again_and_makes_no_data_anew(config):
    other = dataclasses.replace(config, train=TrainConfig(calibration_share=0.1))
    assert changed(properties(config), properties(other)) == {"Trainer", "RunReport"}


@pytest.mark.parametrize("name", ["report.html", "report.css"])
def test_the_template_is_the_reports_alone(config, copied, name):
    before = properties(config)
    path = copied / "emotion_pipeline" / "components" / "run_report" / "templates" / name
    path.write_text(path.read_text() + " ")
    assert changed(before, properties(config)) == {"RunReport"}


@pytest.mark.parametrize(
    "library",
    ["tfx", "tensorflow", "tensorflow-model-analysis", "tensorflow-data-validation",
     "apache-beam", "opencv-python"],
)  # fmt: skip
def test_another_version_of_a_library_runs_everything_again(config, library, monkeypatch):
    before = properties(config)
    version = versions._version
    monkeypatch.setattr(
        versions, "_version", lambda name: "9.9" if name == library else version(name)
    )
    assert changed(before, properties(config)) == set(before)


def test_the_schema_is_known_by_its_content(config):
    before = properties(config)
    path = pathlib.Path(config.schema)
    text = path.read_text()
    path.write_text(text.replace("max: 48", "max: 64", 1) + "\n# edited\n")
    assert changed(before, properties(config)) == {"ImportSchemaGen"}
    path.write_text(text)
    assert properties(config) == before
