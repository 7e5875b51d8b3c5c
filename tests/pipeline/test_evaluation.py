import json

from emotion_pipeline.components.model_metrics import TOP_CLASS_THRESHOLD
from emotion_pipeline.configs import ThresholdConfig
from emotion_pipeline.evaluation import make_eval_config


def config():
    return make_eval_config(ThresholdConfig(accuracy=0.6, macro_f1=0.5, max_accuracy_drop=0.1))


def test_thresholds_hold_for_the_overall_slice_alone():
    judged = {}
    for metric in config().metrics_specs[0].metrics:
        # A plain threshold would be applied to each label's slice too.
        assert not metric.HasField("threshold")
        for one in metric.per_slice_thresholds:
            assert [list(spec.feature_keys) for spec in one.slicing_specs] == [[]]
            judged[metric.class_name] = one.threshold
    assert set(judged) == {"SparseCategoricalAccuracy", "MacroF1"}
    accuracy, macro_f1 = judged["SparseCategoricalAccuracy"], judged["MacroF1"]
    assert accuracy.value_threshold.lower_bound.value == 0.6
    assert macro_f1.value_threshold.lower_bound.value == 0.5
    # Two figures say less than which pictures they come from: the comparison is made elsewhere.
    assert not accuracy.HasField("change_threshold")
    assert not macro_f1.HasField("change_threshold")


def test_measures_what_the_gate_and_the_report_look_for_by_name():
    measured = {
        metric.class_name: (metric.module, json.loads(f"{{{metric.config}}}"))
        for metric in config().metrics_specs[0].metrics
    }
    assert measured == {
        "ExampleCount": ("", {}),
        "SparseCategoricalAccuracy": ("", {"name": "accuracy"}),
        "SparseCategoricalCrossentropy": ("", {"name": "loss"}),
        "MacroF1": ("emotion_pipeline.components.model_metrics", {"name": "macro_f1"}),
        "MultiClassConfusionMatrixAtThresholds": (
            "",
            # Below every score: the likeliest class counts, however small.
            {"name": "confusion_matrix", "thresholds": [TOP_CLASS_THRESHOLD]},
        ),
    }


def test_slices_are_all_images_and_each_label():
    assert [list(spec.feature_keys) for spec in config().slicing_specs] == [[], ["label"]]


def test_calls_the_signatures_of_the_served_model():
    (spec,) = config().model_specs
    assert spec.signature_name == "evaluate"
    assert list(spec.preprocessing_function_names) == ["transform_features"]
    assert spec.label_key == "label_xf"


def test_measures_against_votes_where_there_are_any_and_judges_by_the_folders_alone():
    thresholds = ThresholdConfig()
    with_votes = make_eval_config(thresholds, votes=True).metrics_specs[0].metrics
    without = make_eval_config(thresholds).metrics_specs[0].metrics
    assert list(with_votes)[:-1] == list(without)
    added = with_votes[-1]
    assert (added.class_name, added.module) == (
        "VotesAccuracy", "emotion_pipeline.components.vote_metrics"
    )  # fmt: skip
    assert not added.per_slice_thresholds
    assert not added.HasField("threshold")
