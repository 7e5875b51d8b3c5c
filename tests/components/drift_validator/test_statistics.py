import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from emotion_pipeline.components.drift_validator import statistics
from emotion_pipeline.components.errors import UserError
from tests.components.drift_validator.numbers import comparing_schema, statistics_of


def write(folder, **splits):
    for split, content in splits.items():
        target = folder / f"Split-{split}"
        target.mkdir(parents=True)
        (target / "FeatureStats.pb").write_bytes(content)


def test_reads_a_folder_of_splits_and_one_file(tmp_path):
    train, evaluation = statistics_of(40), statistics_of(30)
    write(tmp_path, train=train.SerializeToString(), eval=evaluation.SerializeToString())
    assert statistics.load_statistics(tmp_path) == {"train": train, "eval": evaluation}
    file = tmp_path / "Split-eval" / "FeatureStats.pb"
    assert statistics.load_statistics(file) == {"train": evaluation}


def test_fingerprint_is_of_the_content(tmp_path):
    one, other = statistics_of(40).SerializeToString(), statistics_of(30).SerializeToString()
    write(tmp_path / "a", train=one)
    write(tmp_path / "b", train=one)
    write(tmp_path / "c", train=other)
    prints = [statistics.fingerprint_statistics(tmp_path / name) for name in "abc"]
    assert prints[0] == prints[1] != prints[2]


def test_says_what_is_wrong_with_statistics(tmp_path):
    with pytest.raises(UserError, match=r"none: no statistics there\. Give the root of a run"):
        statistics.load_statistics(tmp_path / "none")
    (tmp_path / "text").write_text("words, and no statistics")
    with pytest.raises(UserError, match=r"text: no statistics of TFDV"):
        statistics.load_statistics(tmp_path / "text")
    two = statistics_pb2.DatasetFeatureStatisticsList()
    two.datasets.add()
    two.datasets.add()
    (tmp_path / "two").write_bytes(two.SerializeToString())
    with pytest.raises(UserError, match="two: holds statistics of 2 data sets, expected one"):
        statistics.load_statistics(tmp_path / "two")


def test_tells_statistics_of_another_data_set():
    schema = comparing_schema()
    statistics.check_comparable({"train": statistics_of(40)}, schema, "runs/mine")
    census = statistics_pb2.DatasetFeatureStatisticsList()
    census.datasets.add(num_examples=9).features.add(name="age")
    with pytest.raises(UserError) as caught:
        statistics.check_comparable({"train": census}, schema, "runs/census")
    assert str(caught.value) == (
        "runs/census: statistics of another data set: its split train has the features age, and "
        "lacks brightness, label. Give a run of this pipeline, or statistics of one."
    )
