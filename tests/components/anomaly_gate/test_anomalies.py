import copy
import pathlib

import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_artifacts

import emotion_pipeline
from emotion_pipeline.components import features
from emotion_pipeline.components.anomaly_gate.anomalies import (
    AnomaliesError,
    Anomaly,
    describe,
    dropped_too_much,
    exceeded_drift,
    files_outside,
    find_anomalies,
    forbidden_findings,
)
from emotion_pipeline.components.anomaly_gate.component import AnomalyGate
from emotion_pipeline.components.anomaly_gate.executor import Executor
from emotion_pipeline.components.artifacts import DataDrift, ImageFindings, ImageManifest
from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.components.drift_validator.drift import Comparison, Measurement, write_drift
from emotion_pipeline.components.image_findings.findings import Finding, write_findings
from emotion_pipeline.components.image_ingest.manifest import Manifest, make_table, write_manifest

_SCHEMA_PATH = pathlib.Path(emotion_pipeline.__file__).parent / "schema" / "schema.pbtxt"


@pytest.fixture(scope="module")
def schema():
    return tfdv.load_schema_text(str(_SCHEMA_PATH))


def table(*changes, labels=LABELS, split="train"):
    """Returns a manifest's table of two pictures a label, then one for each dict of changes."""
    rows = []
    for label in labels:
        for index in range(2):
            rows.append({"path": f"{split}/{label}/{index}.jpg", "label": label})
    rows += changes
    usual = {
        "split": split,
        "bytes": 1500,
        "width": 48,
        "height": 48,
        "channels": 1,
        "brightness": 0.5,
        "contrast": 0.25,
        "sharpness": 10.0,
        "entropy": 7.5,
        "status": "kept",
        "reason": "",
    }
    return make_table([{**usual, **row} for row in rows])


def anomalies_of(manifest, schema, split="train"):
    """Returns what ExampleValidator would write for the Examples of a manifest's split."""
    rows = manifest[manifest["split"] == split].rename(columns={"bytes": "size_bytes"})
    names = [feature.name for feature in schema.feature if feature.name in rows.columns]
    frame = rows[names].assign(image="picture").reset_index(drop=True)
    options = tfdv.StatsOptions(schema=schema)
    statistics = tfdv.generate_statistics_from_dataframe(frame, options, n_jobs=1)
    return tfdv.validate_statistics(statistics, schema)


def found(manifest, schema, split="train"):
    anomalies = anomalies_of(manifest, schema, split)
    return {one.feature: one for one in find_anomalies(anomalies, schema, manifest, split)}


def test_finds_nothing_in_clean_data(schema):
    assert found(table(), schema) == {}


def test_names_the_files_of_an_unknown_label(schema):
    manifest = table({"path": "train/bored/1.jpg", "label": "bored"})
    anomaly = found(manifest, schema)["label"]
    assert anomaly.files == ("train/bored/1.jpg",)
    assert "bored" in anomaly.long_description
    assert "rename or remove the class folder" in anomaly.remedy


def test_names_missing_classes(schema):
    anomalies = found(table(labels=LABELS[2:]), schema)
    assert set(anomalies) == {"label"}
    assert anomalies["label"].files == ()
    assert anomalies["label"].long_description.endswith(" No picture of angry, disgust.")
    assert anomalies["label"].remedy == (
        "put pictures of angry, disgust into the class folders of this split, or run with a schema "
        "(--set schema=FILE) and class names (--set labels=[...]) without them"
    )


def test_says_which_folders_of_a_missing_class_could_not_be_listed(schema):
    locked = {"status": "pruned", "reason": "unreadable_folder"}
    manifest = table(
        {"path": "train/angry", "label": "angry", **locked},
        {"path": "train/sad/ann", "label": "sad", **locked},
        {"path": "eval/angry", "label": "angry", "split": "eval", **locked},
        labels=LABELS[1:],
    )
    kept = manifest[manifest["status"] == "kept"]
    (anomaly,) = find_anomalies(anomalies_of(kept, schema), schema, manifest, "train")
    assert anomaly.long_description.endswith(
        " No picture of angry. Could not be listed: train/angry/."
    )
    assert anomaly.remedy.startswith("make train/angry/ readable; or put pictures of angry into")

    nothing = tfdv.validate_statistics(_statistics_of_nothing(), schema)
    whole = [
        one
        for one in find_anomalies(nothing, schema, manifest, "eval")
        if one.feature == "(data set)"
    ][-1]
    assert whole.long_description.endswith(" Could not be listed: eval/angry/.")


def test_names_a_class_that_is_missing_where_an_unknown_one_makes_up_the_number(schema):
    manifest = table({"path": "train/bored/1.jpg", "label": "bored"}, labels=LABELS[1:])
    anomaly = found(manifest, schema)["label"]
    assert anomaly.files == ("train/bored/1.jpg",)
    assert "bored" in anomaly.long_description
    assert anomaly.long_description.endswith(" No picture of angry.")
    assert anomaly.remedy.startswith("rename or remove the class folder")
    assert "; put pictures of angry into" in anomaly.remedy


@pytest.mark.parametrize("feature", ["width", "height"])
def test_names_the_files_of_a_wrong_size(schema, feature):
    manifest = table({"path": "train/sad/large.jpg", "label": "sad", feature: 64})
    anomalies = found(manifest, schema)
    assert set(anomalies) == {feature}
    assert anomalies[feature].files == ("train/sad/large.jpg",)
    assert "64" in anomalies[feature].long_description
    assert "resize the pictures to 48x48" in anomalies[feature].remedy


def test_does_not_name_files_that_are_pruned_or_of_another_split(schema):
    manifest = table(
        {"path": "train/sad/1.png", "label": "sad", "width": 64},
        {"path": "train/sad/2.png", "label": "sad", "width": 64, "status": "pruned"},
        {"path": "eval/sad/3.png", "label": "sad", "width": 64, "split": "eval"},
    )
    assert found(manifest, schema)["width"].files == ("train/sad/1.png",)


def test_names_the_files_below_and_above_the_bounds_and_those_without_a_value(schema):
    schema = copy.deepcopy(schema)
    (size,) = (one for one in schema.feature if one.name == features.SIZE_BYTES_KEY)
    size.int_domain.min, size.int_domain.max = 100, 200
    rows = pd.DataFrame({"path": list("abcde"), "bytes": [99, 100, 200, 201, None]})
    assert files_outside(schema, features.SIZE_BYTES_KEY, rows) == ("a", "d", "e")
    size.int_domain.ClearField("min")
    assert files_outside(schema, features.SIZE_BYTES_KEY, rows) == ("d", "e")


def test_an_audit_that_drops_more_than_its_share_is_an_anomaly():
    findings = [
        Finding("cross_split_copies", "drop", (("a.jpg", "b.jpg"), ("c.jpg", "d.jpg")), dropped=2),
        Finding("cross_split_near_copies", "drop", (("e.jpg", "f.jpg"),), dropped=1),
        Finding("exact_copies", "report", (("g.jpg", "h.jpg"),)),
    ]
    assert dropped_too_much(findings, 7, 0.3) == []
    assert dropped_too_much([], 0, 0.0) == []
    (found,) = dropped_too_much(findings, 7, 0.29)
    assert (found.split, found.feature) == ("train", "(data set)")
    assert found.short_description == "The audit drops 3 of 10 train pictures"
    told = (
        "That is 30% (2 cross_split_copies, 1 cross_split_near_copies), more than the limit of 29%"
    )
    assert found.long_description.startswith(told)
    assert found.files == tuple(f"{name}.jpg" for name in "abcdef")


def test_describes_an_anomaly_and_names_five_files():
    files = tuple(f"{index}.jpg" for index in range(7))
    anomaly = Anomaly("eval", "width", "Out-of-range values", "Too large: 64.", files, "resize")
    assert describe(anomaly) == (
        "- eval, width: Out-of-range values. Too large: 64.\n"
        "  in 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg and 2 more files\n"
        "  what to do: resize"
    )


CONFLICTS = Finding("conflicting_labels", "fail", (("a.jpg", "b.jpg"), ("c.jpg", "d.jpg")))
DRIFT = Comparison(
    "train_vs_eval",
    (900, 200),
    compared=True,
    measurements=(
        Measurement(
            "brightness", "JENSEN_SHANNON_DIVERGENCE", 0.5, 0.02, 0.03, True, "High", "0.5!"
        ),
        Measurement("label", "L_INFTY", 0.01, 0.04, 0.1, False),
    ),
)


def run_gate(folder, schema, manifest, splits, findings=(), drift=(), drift_policy="report"):
    """Runs the executor on temporary artifacts; `splits` holds each split's Anomalies."""
    inputs = {
        "anomalies": standard_artifacts.ExampleAnomalies(),
        "schema": standard_artifacts.Schema(),
        "manifest": ImageManifest(),
        "findings": ImageFindings(),
        "drift": DataDrift(),
    }
    for key, artifact in inputs.items():
        artifact.uri = str(folder / key)
    anomalies = inputs["anomalies"]
    anomalies.split_names = artifact_utils.encode_split_names(list(splits))
    for split, message in splits.items():
        target = folder / "anomalies" / f"Split-{split}"
        target.mkdir(parents=True)
        (target / "SchemaDiff.pb").write_bytes(message.SerializeToString())
    tf.io.gfile.makedirs(inputs["schema"].uri)
    tfdv.write_schema_text(schema, f"{inputs['schema'].uri}/schema.pbtxt")
    write_manifest(Manifest(manifest, folder, "faces"), inputs["manifest"].uri)
    write_findings(list(findings), inputs["findings"].uri)
    write_drift(list(drift), inputs["drift"].uri)
    context = base_executor.BaseExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1")
    channels = {key: [artifact] for key, artifact in inputs.items()}
    Executor(context).Do(channels, {}, {"drift_policy": drift_policy})


def test_lets_clean_data_pass(schema, tmp_path):
    manifest = table()
    clean = anomalies_of(manifest, schema)
    reported = Finding("exact_copies", "report", (("a.jpg", "b.jpg"),))
    empty = Finding("conflicting_labels", "fail", ())
    run_gate(
        tmp_path, schema, manifest, {"train": clean, "eval": clean}, [reported, empty], [DRIFT]
    )


def test_stops_at_what_the_policies_forbid(schema, tmp_path):
    manifest = table()
    clean = anomalies_of(manifest, schema)
    with pytest.raises(AnomaliesError) as caught:
        run_gate(tmp_path, schema, manifest, {"train": clean}, [CONFLICTS], [DRIFT], "fail")
    assert caught.value.anomalies == [*forbidden_findings([CONFLICTS]), *exceeded_drift([DRIFT])]
    assert str(caught.value) == (
        "2 anomalies:\n"
        "- all splits, conflicting_labels: 2 groups, 4 files. The policy of conflicting_labels is "
        "'fail'.\n"
        "  in a.jpg, b.jpg, c.jpg, d.jpg\n"
        "  what to do: mend the data, or --set findings.conflicting_labels=drop (or report)\n"
        "- train_vs_eval, brightness: High. 0.5!\n"
        "  what to do: see how the two differ in their statistics; where the difference is meant, "
        "raise the threshold of brightness in the schema"
    )


def test_stops_at_anomalies_of_any_split(schema, tmp_path):
    manifest = table({"path": "eval/bored/1.jpg", "label": "bored", "split": "eval"})
    manifest["split"] = manifest["path"].str.split("/").str[0]
    splits = {split: anomalies_of(manifest, schema, split) for split in ("train", "eval")}
    with pytest.raises(AnomaliesError, match=r"^1 anomaly:\n") as caught:
        run_gate(tmp_path, schema, manifest, splits)
    assert {one.split for one in caught.value.anomalies} == {"eval"}
    assert "in eval/bored/1.jpg\n  what to do: rename" in str(caught.value)


def test_an_empty_split_is_an_anomaly(schema):
    empty = tfdv.validate_statistics(_statistics_of_nothing(), schema)
    torn = {"path": "eval/sad/torn.jpg", "label": "sad", "split": "eval", "status": "pruned"}
    anomalies = find_anomalies(empty, schema, table(torn), "eval")
    whole = [one for one in anomalies if one.feature == "(data set)"]
    assert [one.remedy for one in whole] == ["put pictures into the class folders of this split"]
    assert whole[-1].short_description == "No examples"
    assert whole[-1].long_description == "The split is empty: of 1 files none is kept."
    assert whole[-1].files == ("eval/sad/torn.jpg",)


def test_what_is_said_of_a_whole_data_set_has_its_split(schema):
    found = anomalies_pb2.Anomalies()
    found.dataset_anomaly_info.short_description = "Low num examples in dataset."
    (one,) = find_anomalies(found, schema, table(), "eval")
    assert (one.split, one.feature, one.files) == ("eval", "(data set)", ())


def test_a_split_that_was_drawn_empty_wants_more_groups_and_not_a_folder(schema):
    empty = tfdv.validate_statistics(_statistics_of_nothing(), schema)
    for drawn, cause, remedy in (
        (
            True,
            "the pictures fall into too few groups",
            "put more pictures into the class folders; ",
        ),
        (False, "of 0 files none is kept", "put pictures into the class folders of this split"),
    ):
        anomalies = find_anomalies(empty, schema, table(), "eval", drawn)
        whole = [one for one in anomalies if one.feature == "(data set)"][-1]
        assert cause in whole.long_description
        assert whole.remedy.startswith(remedy)
        assert ("--group-by" in whole.remedy) is drawn


def _statistics_of_nothing():
    return statistics_pb2.DatasetFeatureStatisticsList(
        datasets=[statistics_pb2.DatasetFeatureStatistics(num_examples=0)]
    )


def gate_channels():
    """Returns a channel of the right type for each input."""
    return {
        "anomalies": types.Channel(type=standard_artifacts.ExampleAnomalies),
        "schema": types.Channel(type=standard_artifacts.Schema),
        "manifest": types.Channel(type=ImageManifest),
        "findings": types.Channel(type=ImageFindings),
        "drift": types.Channel(type=DataDrift),
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("anomalies", "anomalies must be a channel of ExampleAnomalies, got Model"),
        ("schema", "schema must be a channel of Schema, got Model"),
        ("manifest", "manifest must be a channel of emotion_pipeline.ImageManifest, got Model"),
        ("findings", "findings must be a channel of emotion_pipeline.ImageFindings, got Model"),
        ("drift", "drift must be a channel of emotion_pipeline.DataDrift, got Model"),
    ],
)
def test_refuses_bad_wiring(name, message):
    with pytest.raises(ValueError, match=message):
        AnomalyGate(**{**gate_channels(), name: types.Channel(type=standard_artifacts.Model)})


def test_refuses_another_drift_policy():
    with pytest.raises(ValueError, match="drift_policy must be report or fail, got 'drop'"):
        AnomalyGate(**gate_channels(), drift_policy="drop")
