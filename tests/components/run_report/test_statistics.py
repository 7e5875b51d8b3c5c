import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from emotion_pipeline.components.run_report.statistics import (
    Histogram,
    densities,
    summarize_statistics,
)


def test_densities_have_an_area_of_one():
    assert densities([(0, 2, 1), (2, 4, 3)]) == Histogram((0, 2, 4), (0.125, 0.375))


def test_buckets_without_width_are_left_out():
    assert densities([(0, 0, 5), (0, 1, 2)]) == Histogram((0, 1), (1.0,))
    assert densities([(48, 48, 5), (48, 48, 5)]) is None
    assert densities([]) is None


@pytest.fixture(scope="module")
def features():
    frames = {
        "train": pd.DataFrame({"brightness": [0.0, 0.25, 0.5, 1.0], "label": list("aaab")}),
        "eval": pd.DataFrame({"brightness": [0.5, 0.5], "label": ["a", "b"]}),
    }
    return summarize_statistics(
        {split: tfdv.generate_statistics_from_dataframe(one) for split, one in frames.items()}
    )


def test_a_number_has_its_moments_and_its_histogram(features):
    train, evaluated = features["brightness"]["train"], features["brightness"]["eval"]
    assert (train.count, train.missing) == (4, 0)
    assert (train.min, train.median, train.max) == (0.0, pytest.approx(0.5, abs=0.26), 1.0)
    assert train.mean == pytest.approx(0.4375)
    assert (train.histogram.edges[0], train.histogram.edges[-1]) == (0.0, 1.0)
    # Ten bins of a tenth: a quarter of the values in one of them is a density of 2.5.
    assert train.histogram.densities[0] == pytest.approx(2.5, rel=0.01)
    assert sum(train.histogram.densities) / 10 == pytest.approx(1.0)
    assert evaluated.histogram is None, "all values are the same"


def test_a_text_has_its_values_with_their_shares(features):
    assert features["label"]["train"].values == (("a", 0.75), ("b", 0.25))
    assert features["label"]["train"].unique == 2
    assert features["label"]["eval"].mean is None
