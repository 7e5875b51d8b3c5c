import json

import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.components.model_evaluator.executor import judging_split
from emotion_pipeline.components.model_evaluator.judgement import (
    Judgement,
    describe,
    judge,
    read_judgement,
    write_judgement,
)
from tests.components.example_artifacts import example, write_examples
from tests.components.pictures import encode


def save_model(folder, names, answers):
    """A model that answers with `answers[gray]` for a picture of one gray."""
    table = np.zeros(256, np.int32)
    for gray, label in answers.items():
        table[gray] = names.index(label)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(inputs):
        parsed = tf.io.parse_example(inputs, {"image": tf.io.FixedLenFeature([], tf.string)})
        gray = tf.map_fn(
            lambda one: tf.cast(tf.io.decode_png(one)[0, 0, 0], tf.int32),
            parsed["image"],
            fn_output_signature=tf.int32,
        )
        scores = tf.one_hot(tf.gather(tf.constant(table), gray), len(names))
        return {
            "classes": tf.tile(tf.constant([names]), [tf.shape(inputs)[0], 1]),
            "scores": scores,
        }

    tf.saved_model.save(tf.Module(), str(folder), signatures={"classify": classify})
    return str(folder)


GRAYS = {10: "happy", 20: "happy", 30: "sad", 40: "sad"}


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    records = [
        example(label, f"{gray}-{number}.png", encode(np.full((48, 48), gray, np.uint8), ".png"))
        for gray, label in GRAYS.items()
        for number in range(10)
    ]
    write_examples(folder, {"test": records}, 1)
    return str(folder / "Split-test" / "*")


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    return save_model(
        tmp_path_factory.mktemp("model") / "m", ["happy", "sad"], {**GRAYS, 20: "sad", 30: "sad"}
    )


def judged(model_dir, baseline_dir, pattern):
    return judge(model_dir, baseline_dir, "7", "test", pattern, confidence=0.95, max_drop=0.0)


def test_compares_picture_by_picture(model_dir, pattern, tmp_path):
    # The same classes in another order: what counts is the name.
    better = save_model(tmp_path / "better", ["sad", "happy"], GRAYS)
    judgement, answers = judged(model_dir, better, pattern)
    one = judgement.comparison
    assert (one.images, one.gained, one.lost, one.passed) == (40, 0, 10, False)
    assert one.baseline_accuracy == 1.0
    assert "0 gained, 10 lost" in describe(judgement)
    assert "version 7" in describe(judgement)
    # The answers that are kept have both in the model's order of classes.
    assert answers.predictions.class_names == ("happy", "sad")
    assert (answers.baseline.argmax(axis=1) == answers.predictions.labels).all()
    back = judged(better, model_dir, pattern)[0].comparison
    assert (back.gained, back.lost, back.passed) == (10, 0, True)


def test_a_model_of_other_classes_is_none_to_beat_and_that_is_said(model_dir, pattern, tmp_path):
    other = save_model(tmp_path / "other", ["glad", "happy", "sad"], GRAYS)
    judgement, answers = judged(model_dir, other, pattern)
    assert answers.baseline is None
    assert judgement.comparison is None
    assert judgement.not_compared == (
        "version 7 has other classes (glad, happy, sad) than this (happy, sad)"
    )
    assert "not compared with an earlier model: version 7 has other" in describe(judgement)


def test_what_is_no_classifier_is_none_to_beat_and_that_is_said(model_dir, pattern, tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "empty"))
    judgement, answers = judged(model_dir, str(tmp_path / "empty"), pattern)
    assert judgement.comparison is None
    assert judgement.not_compared.startswith("version 7 gives no classes for a picture")
    assert answers.predictions.class_names == ("happy", "sad")


def test_nothing_served_is_nothing_to_beat(model_dir, pattern):
    judgement, answers = judge(model_dir, None, "", "eval", pattern, confidence=0.95, max_drop=0.0)
    assert judgement == Judgement("eval", "", "nothing is served yet", None)
    assert len(answers.predictions.labels) == 40
    assert answers.baseline is None


def test_the_file_holds_it_all(model_dir, pattern, tmp_path):
    judgement, _ = judged(model_dir, model_dir, pattern)
    assert judgement.not_compared == ""
    write_judgement(judgement, str(tmp_path))
    assert read_judgement(str(tmp_path)) == judgement
    content = json.loads((tmp_path / "judgement.json").read_text())
    assert (content["split"], content["baseline"]) == ("test", "7")
    write_judgement(Judgement("eval", not_compared="x"), str(tmp_path))
    assert read_judgement(str(tmp_path)).comparison is None


def test_the_test_split_judges_where_there_is_one():
    assert judging_split(["train", "eval", "test"]) == "test"
    assert judging_split(["train", "eval"]) == "eval"
