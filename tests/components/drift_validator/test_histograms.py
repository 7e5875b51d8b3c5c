import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from emotion_pipeline.components.drift_validator.histograms import align_histograms
from tests.components.drift_validator.numbers import statistics_of


def buckets(statistics, name="brightness"):
    feature = next(one for one in statistics.datasets[0].features if list(one.path.step) == [name])
    [histogram] = [
        histogram
        for histogram in feature.num_stats.histograms
        if histogram.type == statistics_pb2.Histogram.STANDARD
    ]
    return [(one.low_value, one.high_value, one.sample_count) for one in histogram.buckets]


def test_buckets_are_the_same_and_hold_every_image():
    one = statistics_of(1000, brightness=np.linspace(0, 1, 1000, dtype=np.float32))
    other = statistics_of(500, brightness=np.linspace(0.5, 2, 500, dtype=np.float32))
    first, second = (buckets(side) for side in align_histograms(one, other))
    assert [bucket[:2] for bucket in first] == [bucket[:2] for bucket in second]
    assert first[0][0] == pytest.approx(0, abs=1e-5)
    assert first[-1][1] == 2
    assert sum(bucket[2] for bucket in first) == pytest.approx(1000)
    assert sum(bucket[2] for bucket in second) == pytest.approx(500)
    # Deciles at 0.1, 0.2, ... 0.9, each at least 0.2 * 0.8 from the one before.
    inner = [low for low, _, _ in first[1:]]
    assert inner == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9], abs=0.02)
    # A third of the other lies in [0.5, 1].
    below = sum(count for _, high, count in second if high < 0.95)
    assert below == pytest.approx(500 * 0.4 / 1.5, rel=0.1)


def test_given_statistics_stay_as_they_are():
    one, other = statistics_of(100), statistics_of(100, seed=1)
    before = one.SerializeToString(deterministic=True)
    align_histograms(one, other)
    assert one.SerializeToString(deterministic=True) == before


def test_a_value_that_many_share_lies_in_one_bucket():
    values = np.array([0.0] * 10 + [0.5] * 980 + [1.0] * 10, np.float32)
    one = statistics_of(1000, brightness=values)
    same, again = align_histograms(one, statistics_of(1000, brightness=values))
    assert buckets(same) == buckets(again)
    assert max(count for _, _, count in buckets(same)) > 900


def test_two_constants_lie_in_two_buckets():
    constant = statistics_of(100, brightness=np.full(100, 0.5, np.float32))
    other = statistics_of(100, brightness=np.full(100, 0.7, np.float32))
    first, second = (buckets(side) for side in align_histograms(constant, other))
    assert [count for _, _, count in first] == [100, 0]
    assert [count for _, _, count in second] == [0, 100]
