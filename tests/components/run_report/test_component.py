"""The component on small artifacts that TFX's own writers made."""

import dataclasses
import json
import pathlib

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from tfx.types import channel, standard_artifacts

from emotion_pipeline.components import artifacts
from emotion_pipeline.components.class_balancer.executor import CLASS_COUNTS_PROPERTY
from emotion_pipeline.components.constants import SPLITS
from emotion_pipeline.components.examples.example_proto import make_example
from emotion_pipeline.components.image_findings.findings import Finding, write_findings
from emotion_pipeline.components.image_ingest.manifest import write_manifest
from emotion_pipeline.components.model_evaluator.comparison import compare
from emotion_pipeline.components.model_evaluator.judgement import Judgement
from emotion_pipeline.components.predictions import predict
from emotion_pipeline.components.records.answers_record import Answers, write_answers
from emotion_pipeline.components.run_report.component import RunReport
from emotion_pipeline.components.run_report.evaluation import (
    ThresholdCheck,
    read_checks,
    threshold_checks,
)
from emotion_pipeline.components.run_report.executor import Executor
from emotion_pipeline.components.run_report.record import RunFacts, run_folder, write_record
from emotion_pipeline.configs import ThresholdConfig
from emotion_pipeline.evaluation import make_eval_config
from tests.components.example_artifacts import example, write_examples
from tests.components.pictures import encode, noise
from tests.components.run_report.contents import make_data, make_manifest, make_model
from tests.components.run_report.test_page import SECTIONS, Page
from tests.components.run_report.test_record import ONE
from tests.serving.models import LABELS, write_emotion

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """What Evaluator writes of a model that is right in three of four images."""
    config = make_eval_config(ThresholdConfig(accuracy=0.8, macro_f1=0.3))
    del config.slicing_specs[1:]
    config.model_specs[0].CopyFrom(tfma.ModelSpec(label_key="actual", prediction_key="scores"))
    scores = [[0.9, 0.1], [0.2, 0.8], [0.8, 0.2], [0.9, 0.1]]
    frame = pd.DataFrame({"actual": [0, 1, 1, 0], "scores": scores})
    folder = str(tmp_path_factory.mktemp("evaluation"))
    tfma.analyze_raw_data(frame, config, output_path=folder)
    return folder


def test_reads_the_thresholds_with_what_was_reached(evaluation):
    assert read_checks(evaluation) == [
        ThresholdCheck(
            "accuracy", "at least 0.8", 0.75, False, failure="accuracy 0.750 is below 0.8"
        ),
        ThresholdCheck("macro_f1", "at least 0.3", pytest.approx(11 / 15), True),
    ]


def test_a_model_to_beat_is_a_condition_too():
    config = make_eval_config(ThresholdConfig(0.5, 0.3))
    correct, before = np.arange(100) < 60, np.arange(100) < 75
    comparison = compare(correct, before, confidence=0.95, max_drop=0.02)
    checks = threshold_checks(
        config,
        {"accuracy": 0.6, "macro_f1": 0.25},
        {"macro_f1"},
        Judgement("test", "7", comparison=comparison),
    )
    rule = "with 95 % confidence no more than 0.02 below the blessed model's 0.7500 on the same pictures"
    assert checks == [
        ThresholdCheck("accuracy", "at least 0.5", 0.6, True),
        ThresholdCheck(
            "macro_f1", "at least 0.3", 0.25, False, failure="macro F1 0.250 is below 0.3"
        ),
        ThresholdCheck(
            "accuracy",
            rule,
            -0.15,
            False,
            failure="accuracy is 0.150 below version 7's 0.750 on the same 100 pictures, with 95 % "
            "confidence at least 0.101; allowed is 0.02",
        ),
    ]


@pytest.fixture(scope="module")
def inputs(evaluation, tmp_path_factory):
    """The artifacts of a run on noise, as RunReport gets them."""
    folder = tmp_path_factory.mktemp("run")

    def artifact(type_, name):
        one = type_()
        one.uri = str(folder / name)
        (folder / name).mkdir(exist_ok=True)
        return one

    manifest = artifact(artifacts.ImageManifest, "manifest")
    written = make_manifest(folder / "data", list(LABELS), per_class=2)
    write_manifest(written, manifest.uri)
    findings = artifact(artifacts.ImageFindings, "findings")
    pair = ("eval/sad/0.jpg", "train/sad/0.jpg")
    write_findings([Finding("cross_split_copies", "drop", (pair,), 1)], findings.uri)
    statistics = artifact(standard_artifacts.ExampleStatistics, "statistics")
    frame = pd.DataFrame({"brightness": [0.25, 0.5, 0.75], "label": ["sad", "sad", "fear"]})
    for split in SPLITS:
        (folder / "statistics" / f"Split-{split}").mkdir()
        path = folder / "statistics" / f"Split-{split}" / "FeatureStats.pb"
        path.write_bytes(tfdv.generate_statistics_from_dataframe(frame).SerializeToString())
    drift = artifact(artifacts.DataDrift, "drift")
    (folder / "drift" / "drift.json").write_text(json.dumps(make_data(written).drift))
    source = written.table[written.table["label"] == "sad"]
    source = min(
        (row for row in source.itertuples() if row.split == "train" and row.status == "kept"),
        key=lambda row: row.content_hash,
    )
    balanced = write_examples(
        folder / "balanced",
        {
            "train": [
                make_example(
                    {
                        "image": encode(noise(copy)), "label": "sad", "path": source.path,
                        "copy_index": copy, "shift_x_px": copy, "shift_y_px": 0,
                    }
                )
                for copy in range(3)
            ],
            "eval": [
                example(label, f"eval/{label}/{n}.jpg", encode(noise(n)))
                for label in LABELS
                for n in range(10)
            ],
        },
    )  # fmt: skip
    counts = {label: {"before": 2, "after": 5} for label in LABELS}
    balanced.set_string_custom_property(CLASS_COUNTS_PROPERTY, json.dumps(counts))
    model = artifact(standard_artifacts.Model, "model")
    write_emotion(folder / "model" / "Format-Serving")
    model_run = artifact(standard_artifacts.ModelRun, "model_run")
    training = make_model(list(LABELS)).training
    (folder / "model_run" / "training.json").write_text(json.dumps(training))
    evaluated = standard_artifacts.ModelEvaluation()
    evaluated.uri = evaluation
    return {
        "manifest": [manifest], "findings": [findings], "statistics": [statistics],
        "drift": [drift],
        "balanced_examples": [balanced], "model": [model], "model_run": [model_run],
        "evaluation": [evaluated],
    }  # fmt: skip


def write_page(inputs, folder, blessed: bool, run: str = "") -> str:
    blessing, pushed = standard_artifacts.ModelBlessing(), standard_artifacts.PushedModel()
    blessing.set_int_custom_property("blessed", int(blessed))
    if blessed:
        pushed.set_string_custom_property("pushed_version", "1700000000")
    report = artifacts.HtmlReport()
    report.uri = str(folder)
    properties = {
        "settings": '{"seed": 7}', "seed": 7, "metadata_path": "",
        "recipe": '{"name": "fast", "settings": {"seed": 1}}', "run": run,
    }  # fmt: skip
    Executor().Do(
        {**inputs, "blessing": [blessing], "pushed_model": [pushed]},
        {"report": [report]},
        properties,
    )
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_of_a_blessed_model(inputs, tmp_path):
    page = Page(write_page(inputs, tmp_path, blessed=True))
    assert "Blessed, and pushed as version 1700000000" in page.text
    # Seven classes of ten images each, and a model of seven outputs.
    assert "resampling the 70 eval images" in page.text
    assert "accuracy at least 0.8 0.7500 failed" in page.text
    assert "Recipe fast, 1 setting of its own" in page.text
    assert not [one for one in page.all("a") if "data-root" in one]
    assert (tmp_path / "card.md").read_text().startswith("# Model card: Run of the pipeline")
    assert "Copies across the splits 1 2 drop 1" in page.text
    assert "+1, +0 px" in page.text
    assert "seed 7" in page.text
    assert [one["id"] for one in page.all("section")] == [
        one for one in SECTIONS if one != "changes"
    ]


def test_the_page_of_a_model_that_was_not_blessed_is_as_full(inputs, tmp_path):
    text = write_page(inputs, tmp_path, blessed=False)
    assert "Not blessed, nothing pushed: accuracy 0.750 is below 0.8" in text
    assert "Confusion matrix" in text


def test_a_run_is_named_and_compared_with_the_one_before(inputs, tmp_path):
    root = tmp_path / "root"
    answers = predict(
        str(pathlib.Path(inputs["model"][0].uri) / "Format-Serving"),
        f"{inputs['balanced_examples'][0].uri}/Split-eval/*",
    )
    write_record(dataclasses.replace(ONE, number=3), root)
    write_answers(Answers(answers), str(run_folder(root, 3)))
    facts = RunFacts(
        4, "2026-11-30T06:00:00+00:00", str(root), "logs/run.log", str(root / "pushed")
    )
    run = json.dumps(dataclasses.asdict(facts))
    page = Page(write_page(inputs, tmp_path, blessed=True, run=run))
    assert "Run 4 of root" in page.text
    assert "Started 30 Nov 2026, 06:00 UTC" in page.text
    assert "Against run 3: the same" in page.text
    assert "Settings since run 3 of 30 Nov 2026, 05:20 UTC: seed not there to 7" in page.text
    links = [one["href"].removeprefix("root/") for one in page.all("a") if "data-root" in one]
    assert links == [
        "reports/index.html", "reports/4/summary.json", "reports/4/card.md", "pushed/1700000000",
        "logs/run.log", "reports/3/report.html",
    ]  # fmt: skip


def test_the_same_artifacts_give_the_same_page(inputs, tmp_path):
    first = write_page(inputs, tmp_path / "a", blessed=True)
    assert write_page(inputs, tmp_path / "b", blessed=True) == first


def channels():
    return {
        "manifest": channel.Channel(type=artifacts.ImageManifest),
        "findings": channel.Channel(type=artifacts.ImageFindings),
        "statistics": channel.Channel(type=standard_artifacts.ExampleStatistics),
        "drift": channel.Channel(type=artifacts.DataDrift),
        "balanced_examples": channel.Channel(type=standard_artifacts.Examples),
        "model": channel.Channel(type=standard_artifacts.Model),
        "model_run": channel.Channel(type=standard_artifacts.ModelRun),
        "evaluation": channel.Channel(type=standard_artifacts.ModelEvaluation),
        "blessing": channel.Channel(type=standard_artifacts.ModelBlessing),
        "pushed_model": channel.Channel(type=standard_artifacts.PushedModel),
    }


def test_refuses_bad_wiring():
    right = channels()
    for key in right:
        wrong = channel.Channel(type=artifacts.HtmlReport)
        with pytest.raises(ValueError, match=f"{key} must be a channel of"):
            RunReport(**{**right, key: wrong}, settings={}, seed=1)
    component = RunReport(**right, settings={"seed": 1}, seed=1)
    assert component.outputs["report"].type is artifacts.HtmlReport
    assert component.exec_properties["settings"] == '{"seed": 1}'
