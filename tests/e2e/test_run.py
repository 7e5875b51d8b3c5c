"""From folders of images to a served prediction."""

import json
import pathlib
import re
import shutil
import urllib.parse

import pytest

from emotion_faces.client import EmotionClient
from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.configs import PipelineConfig
from tests.e2e.conftest import SHORT, emotion, kill_when, run_pipeline

pytestmark = pytest.mark.slow

SPLITS = ("train", "eval")
LEARNING = (
    *("--recipe", "fast", "--seed", 5),
    *("--set", "train.batch_size=16", "--set", "train.flip_at_serving=true"),
    *("--set", "train.calibration_share=0.05", "--set", "train.int8=true"),
)
"""Trains drawn faces long enough to be blessed by the default thresholds."""


def balanced_records(root: pathlib.Path) -> dict[str, list[bytes]]:
    """The balanced Examples of a run's last balancing, per split, in a fixed order."""
    import tensorflow as tf

    artifacts = root / "artifacts" / "ClassBalancer" / "balanced_examples"
    newest = max(artifacts.iterdir(), key=lambda folder: int(folder.name))
    return {
        split: sorted(
            record.numpy()
            for path in (newest / f"Split-{split}").iterdir()
            for record in tf.data.TFRecordDataset(str(path))
        )
        for split in SPLITS
    }


def report_text(root: pathlib.Path, outcome) -> str:
    """The page of a run, which the summary and the terminal name, and which is kept under its number."""
    path, number = root / "report.html", outcome.summary["run"]
    assert outcome.summary["report"] == str(path)
    assert f"report: {path} (run {number})" in outcome.output
    text = path.read_text(encoding="utf-8")
    kept = root / "reports" / str(number)
    assert f"<title>Run {number} of {root.name}, " in text
    assert (kept / "report.html").read_text(encoding="utf-8").replace(
        '<a data-root href="../../', '<a data-root href="./'
    ) == text
    assert json.loads((kept / "summary.json").read_text())["status"] == outcome.summary["status"]
    index = (root / "reports" / "index.html").read_text(encoding="utf-8")
    assert f'<a href="{number}/report.html">run {number}</a>' in index
    # No link leads nowhere.
    for link in re.findall(r'<a data-root href="([^"]+)"', text):
        assert (root / urllib.parse.unquote(link)).exists(), link
    return text


def tree(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def finished(drawn, tmp_path_factory):
    """One whole run on drawn images that ends in a blessed model."""
    before = tree(drawn)
    root = tmp_path_factory.mktemp("run")
    outcome = run_pipeline(root, drawn, *LEARNING, forked=False)
    assert tree(drawn) == before, "a folder of the user's was changed"
    return root, outcome


def test_run_pushes_and_serves(finished, drawn, serve):
    root, outcome = finished
    summary = outcome.summary
    assert outcome.status == 0, outcome.output
    assert (summary["status"], summary["blessed"]) == ("pushed", True)
    after = {counts["after"] for counts in summary["class_counts"].values()}
    assert list(summary["class_counts"]) == list(LABELS)
    assert after == {max(counts["before"] for counts in summary["class_counts"].values())}
    for split in SPLITS:
        images = summary["images"][split]
        assert images["found"] == images["kept"] + images["pruned"]
        assert images["pruned_by_reason"] == {"redundant_tree": images["kept"]}
    assert summary["metrics"]["accuracy"] >= 0.4
    assert summary["metrics"]["gap"] == pytest.approx(
        summary["metrics"]["train_accuracy"] - summary["metrics"]["accuracy"]
    )
    # The train accuracy that the gap counts from is taken as the Evaluator takes its own.
    (training,) = root.rglob("training.json")
    measured = json.loads(training.read_text())
    assert measured["eval"]["accuracy"] == pytest.approx(summary["metrics"]["accuracy"], abs=1e-4)
    assert measured["train"]["accuracy"] == summary["metrics"]["train_accuracy"]
    # So few pictures fit no temperature, and all were trained on.
    calibration = summary["training"]["calibration"]
    assert (calibration["temperature"], calibration["pictures"]) == (1.0, 0)
    assert calibration["error"] == calibration["error_before"]
    assert "the answers have no temperature: train.calibration_share=0.05 is 1" in outcome.output
    push_dir = pathlib.Path(summary["push_dir"])
    (told,) = re.findall(r"in 8 bits the model's accuracy on eval is .*", outcome.output)
    assert told == summary["training"]["int8"]
    assert any(push_dir.rglob("model.int8.onnx")) == told.endswith("written as model.int8.onnx")
    assert [p.name for p in push_dir.iterdir()] == [str(summary["pushed_version"])]
    # The weights alone, in each version that is copied and loaded.
    index = (push_dir / str(summary["pushed_version"]) / "variables/variables.index").read_bytes()
    assert b"kernel" in index
    assert b"optimizer" not in index
    page = report_text(root, outcome)
    assert f"Blessed, and pushed as version {summary['pushed_version']}" in page
    # The page counts from the answers, and comes to what Evaluator measured.
    assert f"<dd>{summary['metrics']['accuracy']:.3f}</dd>" in page
    assert f"<dd>{summary['metrics']['macro_f1']:.3f}</dd>" in page
    for section in ("curves", "calibration", "statistics", "copies", "run"):
        assert f'<section id="{section}"' in page
    for component in summary["components"]:
        assert component["id"] in page or component["id"] == "RunReport"

    address = serve(push_dir)
    faces = sorted((drawn / "images" / "validation" / "surprise").iterdir())
    with EmotionClient(address) as client:
        client.wait_until_ready(60)
        (answer,) = client.predict([faces[0].read_bytes()])
    assert set(answer.probabilities) == set(LABELS)
    assert sum(answer.probabilities.values()) == pytest.approx(1.0, abs=1e-3)
    assert answer.label == max(answer.probabilities, key=answer.probabilities.get)

    text = drawn / "images" / "no.jpg"
    text.write_text("no image")
    done = emotion("predict", faces[0], text, "--server", address, "--json")
    text.unlink()
    good, bad = json.loads(done.stdout)
    assert good["path"] == str(faces[0])
    assert good["label"] == answer.label
    assert set(good["probabilities"]) == set(LABELS)
    assert bad["path"] == str(text)
    assert bad["error"]


def test_same_command_again_repeats_nothing_that_is_finished(finished, drawn):
    root, first = finished
    again = run_pipeline(
        root,
        drawn,
        *LEARNING,
        # Where Beam's jobs run and what they are called is not what a component makes.
        "--beam-arg=--job_name=again",
    )
    cached = {c["id"]: c["cached"] for c in again.summary["components"]}
    for component in ("ImageIngest", "ImageExampleGen", "StatisticsGen", "ClassBalancer",
                      "Transform", "Trainer"):  # fmt: skip
        assert cached[component], f"{component} ran again"
    assert again.status == 0, again.output
    assert again.summary["pushed_version"] == first.summary["pushed_version"]
    page = report_text(root, again)
    assert "below the blessed model&#39;s" in page
    # The first run's page stays, and the second is told apart from it.
    assert (root / "reports" / str(first.summary["run"]) / "report.html").is_file()
    assert again.summary["run"] == first.summary["run"] + 1
    version = first.summary["pushed_version"]
    told = f"against version {version}, the model to beat, of run {first.summary['run']}: accuracy"
    assert told in again.output
    assert "0 newly right, 0 newly wrong: the same" in again.output
    assert "Against version" in page


def test_a_report_that_fails_leaves_the_run_what_it_was(finished, drawn):
    root, first = finished
    # RunReport alone reads them again, and it runs again with other settings.
    kept = {path: path.read_bytes() for path in root.rglob("FeatureStats.pb")}
    for path in kept:
        path.write_bytes(b"no statistics")
    again = run_pipeline(
        root,
        drawn,
        *LEARNING,
        *("--set", "thresholds.max_accuracy_drop=0.5"),
    )
    for path, data in kept.items():
        path.write_bytes(data)
    assert again.status == 0, again.output
    assert (again.summary["status"], again.summary["error"]) == ("pushed", None)
    # Evaluator ran again, and may add the loss up in another order.
    loss = pytest.approx(first.summary["metrics"]["loss"])
    assert again.summary["metrics"] == {**first.summary["metrics"], "loss": loss}
    assert again.summary["report_error"]
    assert f"the report failed, which changes nothing else: {again.summary['report_error']}" in (
        again.output
    )
    # An earlier run's page would tell of another run; it stays in its folder.
    assert again.summary["report"] is None
    assert not (root / "report.html").exists()
    assert (root / "reports" / str(first.summary["run"]) / "report.html").is_file()
    done = emotion("report", root)
    assert done.returncode == 1
    assert f"run {again.summary['run']} has no page" in done.stderr


def test_what_was_pushed_is_there_after_the_push_folder_was_emptied(finished, drawn):
    root, first = finished
    push_dir = pathlib.Path(first.summary["push_dir"])
    shutil.rmtree(push_dir)
    again = run_pipeline(root, drawn, *LEARNING)
    assert again.status == 0, again.output
    assert again.summary["status"] == "pushed"
    version = push_dir / str(again.summary["pushed_version"])
    assert [path.name for path in push_dir.iterdir()] == [version.name]
    assert (version / "saved_model.pb").is_file()
    # The model that was deleted is none to beat.
    assert again.summary["judgement"]["not_compared"] == "nothing is served yet"
    cached = {c["id"]: c["cached"] for c in again.summary["components"]}
    assert cached["Trainer"]


def test_a_test_split_judges_alone_and_other_classes_are_no_model_to_beat(drawn, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(drawn, data)
    shutil.rmtree(data / "images" / "images", ignore_errors=True)
    for folder in (data / "images" / "train").iterdir():
        target = data / "images" / "test" / folder.name
        target.mkdir(parents=True)
        for path in sorted(folder.iterdir())[::4]:
            path.rename(target / path.name)
    first = run_pipeline(tmp_path / "root", data, *SHORT)
    assert first.status == 0, first.output
    assert first.summary["metrics"]["split"] == first.summary["judgement"]["split"] == "test"
    judged = sum(row["images"] for row in first.summary["metrics"]["per_class"].values())
    assert judged == first.summary["images"]["test"]["kept"] > 0
    assert "test accuracy" in first.output
    assert "Accuracy on test" in report_text(tmp_path / "root", first)

    labels = [*LABELS[:-1], "astonished"]
    for split in ("train", "validation", "test"):
        (data / "images" / split / LABELS[-1]).rename(data / "images" / split / labels[-1])
    schema = tmp_path / "schema.pbtxt"
    text = pathlib.Path(PipelineConfig().schema_path).read_text()
    schema.write_text(text.replace(f'"{LABELS[-1]}"', f'"{labels[-1]}"'))
    again = run_pipeline(
        tmp_path / "root",
        data,
        *SHORT,
        *("--set", f"labels=[{', '.join(labels)}]", "--set", f"schema={schema}"),
    )
    assert again.status == 0, again.output
    assert "has other classes" in again.summary["judgement"]["not_compared"]
    assert "not compared with an earlier model: version" in again.output


def test_killed_anywhere_then_started_again_gives_what_an_undisturbed_run_gives(drawn, tmp_path):
    arguments = [*SHORT, "--epochs", "3", "--recipe", "fast", "--seed", "7"]
    undisturbed = run_pipeline(tmp_path / "a", drawn, *arguments)
    assert undisturbed.status == 0, undisturbed.output
    killed = tmp_path / "b"
    for line in ("] ImageIngest", "] ClassBalancer", "epoch 2/3:"):
        kill_when(killed, drawn, line, *arguments)
        assert not list(killed.glob("pushed/*/*"))
    outcome = run_pipeline(killed, drawn, *arguments)
    assert outcome.status == 0, outcome.output
    assert outcome.summary["training"]["resumed_at"] == [2]
    assert outcome.summary["class_counts"] == undisturbed.summary["class_counts"]
    assert balanced_records(killed) == balanced_records(tmp_path / "a")
    assert outcome.summary["metrics"] == undisturbed.summary["metrics"]
    versions = list(pathlib.Path(outcome.summary["push_dir"]).iterdir())
    assert [p.name for p in versions] == [str(outcome.summary["pushed_version"])]


def test_not_blessed_is_status_3_and_pushes_nothing(drawn, tmp_path):
    outcome = run_pipeline(tmp_path, drawn, *SHORT, "--set", "thresholds.accuracy=1.0")
    assert outcome.status == 3, outcome.output
    assert (outcome.summary["status"], outcome.summary["blessed"]) == ("not_blessed", False)
    assert outcome.summary["pushed_version"] is None
    assert not pathlib.Path(outcome.summary["push_dir"]).exists()
    page = report_text(tmp_path, outcome)
    accuracy = outcome.summary["metrics"]["accuracy"]
    why = f"nothing pushed: accuracy {accuracy:.3f} is below 1"
    assert f"Not blessed, {why}" in page
    assert f"not blessed, {why}" in outcome.output
    for note in outcome.summary["notes"]:
        assert note in outcome.output
    done = emotion("report", tmp_path, "--run", "1")
    assert done.returncode == 0, done.stderr
    assert f"not blessed, {why}" in done.stdout
    assert f"report: {tmp_path / 'reports' / '1' / 'report.html'}" in done.stdout
    assert emotion("report", tmp_path).stdout == done.stdout
    done = emotion("report", tmp_path, "--run", "7")
    assert (done.returncode, "has no such run; it has 1" in done.stderr) == (1, True)
    assert '<section id="classes"' in page


def test_anomalies_stop_the_run_with_status_4(drawn, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(drawn, data)
    bored = data / "images" / "train" / "bored"
    bored.mkdir()
    shutil.copy(next((data / "images" / "train" / "happy").iterdir()), bored / "one.jpg")
    shutil.rmtree(data / "images" / "validation" / "disgust")
    outcome = run_pipeline(tmp_path / "root", data, *SHORT)
    assert outcome.status == 4, outcome.output
    assert outcome.summary["status"] == "anomalies"
    found = {(a["split"], a["feature"]): a for a in outcome.summary["anomalies"]}
    assert found["train", "label"]["files"] == ["images/train/bored/one.jpg"]
    assert ("eval", "label") in found
    assert "bored/one.jpg" in outcome.output
    assert "what to do" in outcome.output
    assert "Traceback" not in outcome.output
    page = report_text(tmp_path / "root", outcome)
    assert "images/train/bored/one.jpg" in page
    assert "What to do:" in page
    assert '<section id="statistics"' in page
    assert '<section id="classes"' not in page


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--data", "{missing}"], 2, "{missing}"),
        (["--set", "train.epochs=none"], 2, "train.epochs: expected a whole number, got 'none'"),
        (["--set", "nonsense=1"], 2, "nonsense: there is no such setting"),
        (["--config", "{missing}"], 2, "cannot be read"),
        (["--epochs", "0"], 2, "train.epochs: must be from 1 to 100000"),
    ],
)
def test_errors_are_told_plainly(arguments, status, message, tmp_path):
    missing = str(tmp_path / "missing")
    done = emotion(
        "run", "--root", tmp_path / "root", *(a.format(missing=missing) for a in arguments)
    )
    assert done.returncode == status
    assert message.format(missing=missing) in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_real_images_run_to_the_end(real_data, tmp_path, serve):
    outcome = run_pipeline(tmp_path, real_data, *SHORT, "--keep-leaks")
    assert outcome.status == 0, outcome.output
    # Three train pictures of these few are in eval too, pixel by pixel; they are told, and kept.
    leaks = {f["kind"]: (f["groups"], f["dropped"]) for f in outcome.summary["findings"]}
    assert (leaks["cross_split_copies"], leaks["cross_split_near_copies"]) == ((3, 0), (0, 0))
    assert {tuple(c.values()) for c in outcome.summary["class_counts"].values()} == {(36, 36)}
    assert outcome.summary["images"]["eval"]["kept"] == 7 * 36
    with EmotionClient(serve(pathlib.Path(outcome.summary["push_dir"]))) as client:
        client.wait_until_ready(60)
        face = next((real_data / "images" / "validation" / "fear").iterdir())
        (answer,) = client.predict([face.read_bytes()])
    assert answer.label in LABELS
