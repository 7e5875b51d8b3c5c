import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.components import predictions
from emotion_pipeline.components.predictions import predict
from tests.components.example_artifacts import example, write_examples
from tests.components.pictures import encode

NAMES = ["angry", "happy", "sad"]


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    """A model that reads its answer off the gray value: class = gray // 100, sure = gray % 100 %."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(inputs):
        parsed = tf.io.parse_example(inputs, {"image": tf.io.FixedLenFeature([], tf.string)})
        gray = tf.map_fn(
            lambda one: tf.cast(tf.io.decode_png(one)[0, 0, 0], tf.int32),
            parsed["image"],
            fn_output_signature=tf.int32,
        )
        sure = tf.cast(gray % 100, tf.float32)[:, None] / 100.0
        top = tf.one_hot(gray // 100, 3)
        scores = top * sure + (1.0 - top) * (1.0 - sure) / 2.0
        classes = tf.tile(tf.constant([NAMES]), [tf.shape(inputs)[0], 1])
        return {"classes": classes, "scores": scores}

    folder = str(tmp_path_factory.mktemp("model"))
    tf.saved_model.save(tf.Module(), folder, signatures={"classify": classify})
    return folder


def gray(value: int) -> bytes:
    return encode(np.full((48, 48), value, np.uint8), ".png")


def write(folder, *pictures: tuple[str, int], shards: int = 1) -> str:
    records = [
        example(label, f"{number}-{label}.png", gray(value))
        for number, (label, value) in enumerate(pictures)
    ]
    write_examples(folder, {"eval": records}, shards)
    return str(folder / "Split-eval" / "*")


PICTURES = (
    ("angry", 90),  # right
    ("sad", 70),  # angry, 0.70
    ("happy", 199),  # right
    ("sad", 195),  # happy, 0.95
    ("angry", 180),  # happy, 0.80
    ("sad", 250),  # right
)


def test_answers_and_confusion(model_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(predictions, "_BATCH", 4)
    found = predict(model_dir, write(tmp_path, *PICTURES))
    assert found.class_names == tuple(NAMES)
    assert found.labels.tolist() == [0, 2, 1, 2, 0, 2]
    assert found.predicted.tolist() == [0, 0, 1, 1, 1, 2]
    assert found.correct.tolist() == [True, False, True, False, False, True]
    assert found.confidences == pytest.approx([0.9, 0.7, 0.99, 0.95, 0.8, 0.5])
    assert found.confusion().tolist() == [[1, 1, 0], [0, 1, 0], [1, 1, 1]]
    assert found.paths.tolist()[:2] == ["0-angry.png", "1-sad.png"]


def test_a_label_that_the_model_does_not_know_is_named(model_dir, tmp_path):
    with pytest.raises(ValueError, match="label b'bored' is not among the model's classes"):
        predict(model_dir, write(tmp_path, ("bored", 90)))


def test_no_examples_are_an_error(model_dir, tmp_path):
    with pytest.raises(ValueError, match="no Examples in"):
        predict(model_dir, write(tmp_path))


def test_reads_the_votes_of_the_images_that_have_any(model_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(predictions, "_BATCH", 2)
    records = [tf.train.Example.FromString(example("sad", str(n), gray(250))) for n in range(3)]
    records[2].features.feature["votes"].float_list.value[:] = [1, 0, 8]
    records[2].features.feature["votes_other"].float_list.value[:] = [0.5]
    write_examples(tmp_path, {"eval": [record.SerializeToString() for record in records]})
    found = predict(model_dir, str(tmp_path / "Split-eval" / "*"))
    assert found.votes.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 8, 0.5]]


def test_votes_for_other_classes_are_an_error(model_dir, tmp_path):
    record = tf.train.Example.FromString(example("sad", "1", gray(250)))
    record.features.feature["votes"].float_list.value[:] = [1, 2]
    write_examples(tmp_path, {"eval": [record.SerializeToString()]})
    with pytest.raises(ValueError, match="votes for 2 classes, the model has 3"):
        predict(model_dir, str(tmp_path / "Split-eval" / "*"))
