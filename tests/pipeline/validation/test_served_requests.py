import os

import cv2
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from emotion_pipeline.components.drift_validator.histograms import QUANTILES
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_ingest.ingest import ingest
from emotion_pipeline.components.image_ingest.manifest import kept_rows
from emotion_pipeline.components.image_ingest.measure import MAX_IMAGE_BYTES
from emotion_pipeline.components.sources import sample_data
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.validation.schemas import load_schema
from emotion_pipeline.validation.served_requests import (
    compare_requests,
    measure_requests,
    read_requests,
)
from tests.components.pictures import encode


@pytest.fixture(scope="module")
def schema():
    return load_schema(PipelineConfig().schema_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data set, and the statistics of its train split."""
    import tensorflow_data_validation as tfdv

    folder = tmp_path_factory.mktemp("trained")
    sample_data.draw_sample(folder / "data", images=600, seed=1)
    train = kept_rows(ingest(folder / "data"), "train")
    numbers = train[["brightness", "contrast", "sharpness", "entropy"]].reset_index(drop=True)
    options = tfdv.StatsOptions(num_quantiles_histogram_buckets=QUANTILES)
    statistics = tfdv.generate_statistics_from_dataframe(numbers, options, n_jobs=1)
    (folder / "FeatureStats.pb").write_bytes(statistics.SerializeToString())
    return folder


def exceeded(comparison):
    return {one.feature for one in comparison.measurements if one.exceeded}


def test_pictures_like_the_training_data_are_near(trained, schema, tmp_path):
    sample_data.draw_sample(tmp_path / "sent", images=200, seed=2)
    requests = measure_requests(read_requests(tmp_path / "sent"))
    assert requests.counts == {"found": 400, "kept": 400, "pruned": 0, "pruned_by_reason": {}}
    comparison = compare_requests(requests, str(trained / "FeatureStats.pb"), schema)
    assert comparison.comparison == "train_vs_requests"
    assert len(comparison.measurements) == 4
    assert exceeded(comparison) == set()


def test_finds_that_darker_pictures_are_sent(trained, schema, tmp_path):
    sample_data.draw_sample(tmp_path / "sent", images=200, seed=2)
    dark = []
    for data in read_requests(tmp_path / "sent"):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        dark.append(encode(cv2.convertScaleAbs(pixels, alpha=0.5)))
    comparison = compare_requests(measure_requests(dark), str(trained / "FeatureStats.pb"), schema)
    assert {"brightness", "contrast"} <= exceeded(comparison)


def test_measures_pictures_of_any_size_as_the_model_sees_them():
    small = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    large = cv2.resize(small, (480, 480), interpolation=cv2.INTER_NEAREST)
    requests = measure_requests([encode(small, ".png"), encode(large, ".png"), b"words", b""])
    assert requests.unusable == {"not_an_image": 1, "empty_file": 1}
    assert requests.table.iloc[0].to_dict() == requests.table.iloc[1].to_dict()


def test_reads_logged_predict_requests(tmp_path):
    pictures = [b"one", b"two", b"three"]
    with tf.io.TFRecordWriter(str(tmp_path / "requests.tfrecord")) as writer:
        for batch in (pictures[:2], pictures[2:]):
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(batch))
            writer.write(log.SerializeToString())
        log = prediction_log_pb2.PredictionLog()
        log.predict_log.request.inputs["pixels"].CopyFrom(tf.make_tensor_proto([0.5]))
        writer.write(log.SerializeToString())
    assert list(read_requests(tmp_path / "requests.tfrecord")) == pictures
    (tmp_path / "picture.jpg").write_bytes(b"four")
    assert list(read_requests(tmp_path)) == [b"four", *pictures]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "none: no such file or folder. Give a folder of the pictures"),
        ("empty", "empty: no files in it"),
        ("words.tfrecord", r"words\.tfrecord: no TFRecord file of PredictionLog"),
    ],
)
def test_says_what_is_wrong_with_requests(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.tfrecord").write_text("words, and no records of anything at all")
    with pytest.raises(UserError, match=message):
        list(read_requests(tmp_path / name))


def test_needs_a_usable_picture_and_statistics(trained, schema, tmp_path):
    with pytest.raises(UserError, match="none of 1 pictures is usable"):
        compare_requests(measure_requests([b"words"]), str(trained), schema)
    requests = measure_requests([encode(np.zeros((48, 48), np.uint8))])
    with pytest.raises(UserError, match="no statistics there"):
        compare_requests(requests, str(tmp_path), schema)


def test_what_is_no_picture_file_is_counted_with_its_reason(tmp_path):
    sent = tmp_path / "sent"
    sent.mkdir()
    (sent / "a.png").write_bytes(b"words")
    os.mkfifo(sent / "pipe.png")
    (sent / "gone.png").symlink_to("nowhere")
    with (sent / "large.png").open("wb") as file:
        file.truncate(MAX_IMAGE_BYTES + 1)
    assert measure_requests(read_requests(sent)).counts == {
        "found": 4,
        "kept": 0,
        "pruned": 4,
        "pruned_by_reason": {
            "not_an_image": 1,
            "special_file": 1,
            "symlink_broken": 1,
            "too_large": 1,
        },
    }
