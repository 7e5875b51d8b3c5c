import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.components.examples.example_proto import make_example
from emotion_pipeline.modules.training_data import Split, load_split
from emotion_pipeline.modules.transform_module import preprocessing_fn
from tests.components.pictures import encode, noise

pytestmark = pytest.mark.slow

LABELS = ["happy", "sad"]


class TransformOutput:
    """Stands in for TFT's: the project's own preprocessing, without a graph on disk."""

    def raw_feature_spec(self):
        return {key: tf.io.FixedLenFeature([], tf.string) for key in ("image", "label")}

    def transform_features_layer(self):
        return lambda inputs: preprocessing_fn(inputs, {"labels": LABELS})


def write(folder, name, *records):
    with tf.io.TFRecordWriter(str(folder / name)) as writer:
        for path, votes in records:
            features = {"image": encode(noise(len(path)), ".png"), "label": "sad", "path": path}
            if votes is not None:
                features |= {"votes": votes[:-1], "votes_other": votes[-1]}
            writer.write(make_example(features))


def load(folder):
    return load_split([str(folder / "*")], TransformOutput())


def test_reads_the_votes_beside_the_pictures(tmp_path, monkeypatch):
    # So that one batch has votes, one has none, and one has some.
    monkeypatch.setattr("emotion_pipeline.modules.training_data._DECODE_BATCH", 2)
    write(tmp_path, "1", ("f", None), ("e", None), ("d", [1.0, 2.0, 0.0]), ("c", [0.0, 0.0, 3.5]))
    write(tmp_path, "2", ("b", None), ("a", [4.0, 5.0, 6.0]))
    split = load(tmp_path)
    assert split.votes.dtype == np.float32
    assert split.votes.tolist() == [
        [4, 5, 6],
        [0, 0, 0],
        [0, 0, 3.5],
        [1, 2, 0],
        [0, 0, 0],
        [0, 0, 0],
    ]
    assert split.originals().votes.tolist() == split.votes.tolist()


def test_without_votes_a_split_has_none_and_its_old_fingerprint(tmp_path):
    write(tmp_path, "1", ("a", None), ("b", None))
    split = load(tmp_path)
    assert (split.votes.shape, split.votes.dtype) == ((2, 0), np.float32)
    assert split.originals().votes.shape == (2, 0)
    pixels, labels, is_copy = (
        np.zeros((2, 48, 48, 1), np.uint8),
        np.zeros(2, np.int64),
        np.zeros(2, bool),
    )
    plain = Split(pixels, labels, is_copy)
    assert plain.votes.shape == (2, 0)
    assert plain.fingerprint() == "84938b80f86d5ca5"
    voted = [Split(pixels, labels, is_copy, np.eye(2, 4, k, np.float32)) for k in (0, 1)]
    assert len({one.fingerprint() for one in (plain, *voted)}) == 3
