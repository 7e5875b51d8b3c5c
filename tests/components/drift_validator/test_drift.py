import dataclasses

import numpy as np
import pytest

from emotion_pipeline.components.drift_validator import drift
from tests.components.drift_validator.numbers import comparing_schema, statistics_of


@pytest.fixture(scope="module")
def train():
    return statistics_of(seed=0)


def measured(comparison):
    return {one.feature: one for one in comparison.measurements}


def test_samples_of_one_distribution_are_near(train):
    comparison = drift.compare_skew("c", train, statistics_of(500, seed=1), comparing_schema())
    assert (comparison.images, comparison.compared) == ((2000, 500), True)
    found = measured(comparison)
    assert found["label"].measure == "L_INFTY"
    assert found["brightness"].measure == "JENSEN_SHANNON_DIVERGENCE"
    assert 0 < found["brightness"].value < found["brightness"].threshold == 0.02
    assert not any(one.exceeded or one.long_description for one in found.values())


def test_extremes_alone_are_no_difference(train):
    values = np.random.default_rng(1).normal(0.5, 0.1, 2000).astype(np.float32)
    values[:2] = [-3.0, 4.0]
    comparison = drift.compare_skew(
        "c", train, statistics_of(brightness=values), comparing_schema()
    )
    assert measured(comparison)["brightness"].value < 0.005


def test_finds_a_shift_and_says_so_in_words_of_tfdv(train):
    values = np.random.default_rng(1).normal(0.6, 0.1, 2000).astype(np.float32)
    comparison = drift.compare_skew(
        "c", train, statistics_of(brightness=values), comparing_schema()
    )
    found = measured(comparison)
    assert found["brightness"].exceeded
    # Of two normal distributions one standard deviation apart, by numerical integration.
    assert found["brightness"].value == pytest.approx(0.161, abs=0.02)
    assert found["brightness"].short_description.startswith("High approximate Jensen-Shannon")
    assert "0.02" in found["brightness"].long_description
    assert not found["label"].exceeded


def test_finds_a_class_that_was_halved(train):
    label = np.array(["happy"] * 500 + ["sad"] * 600 + ["fear"] * 400)
    other = statistics_of(1500, label=label)
    found = measured(drift.compare_skew("c", train, other, comparing_schema()))
    assert found["label"].exceeded
    # TFDV: the share of happy fell from about 0.5 to 1/3.
    assert found["label"].value == pytest.approx(1 / 6, abs=0.03)
    assert "happy" in found["label"].long_description


def test_what_chance_may_do_is_not_exceeded(train):
    label = np.array(["happy"] * 22 + ["sad"] * 10 + ["fear"] * 8)
    comparison = drift.compare_skew("c", train, statistics_of(40, label=label), comparing_schema())
    found = measured(comparison)["label"]
    assert found.value > found.threshold
    assert found.chance == pytest.approx(1.75 * (1 / 2000 + 1 / 40) ** 0.5)
    assert not found.exceeded


def test_too_few_images_are_not_compared(train):
    comparison = drift.compare_skew("c", train, statistics_of(29), comparing_schema())
    assert comparison == drift.Comparison("c", (2000, 29), compared=False)
    nothing = type(train)()
    assert drift.compare_skew("c", train, nothing, comparing_schema()).images == (2000, 0)


def test_compares_splits_and_the_baseline(train):
    evaluation = statistics_of(500, seed=1)
    brighter = statistics_of(brightness=np.full(2000, 0.9, np.float32))
    splits = {"train": train, "eval": evaluation}
    schema = comparing_schema()
    assert [one.comparison for one in drift.compare_splits(splits, {}, schema)] == ["train_vs_eval"]
    comparisons = drift.compare_splits(splits, {"train": brighter, "eval": evaluation}, schema)
    assert [one.comparison for one in comparisons] == [
        "train_vs_eval",
        "train_vs_baseline",
        "eval_vs_baseline",
    ]
    exceeded = [[m.feature for m in one.measurements if m.exceeded] for one in comparisons]
    assert exceeded == [[], ["brightness"], []]
    assert measured(comparisons[2])["brightness"].value == pytest.approx(0, abs=1e-6)


def test_comes_back_from_its_file_as_it_was(tmp_path, train):
    written = drift.compare_splits(
        {"train": train, "eval": statistics_of(9)}, {}, comparing_schema()
    )
    written.append(dataclasses.replace(written[0], compared=True, images=(1, 2)))
    drift.write_drift(written, tmp_path / "uri")
    assert drift.read_drift(tmp_path / "uri") == written
