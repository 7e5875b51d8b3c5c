import numpy as np
import pytest
from scipy import stats

from emotion_pipeline.components.run_report.intervals import Interval, bootstrap, wilson
from emotion_pipeline.components.scores import macro_f1

CONFUSION = np.array([[30, 10], [20, 40]])


def test_bootstrap_gives_the_percentiles_of_the_binomial():
    """Accuracy over resamples is binomial: 70 right of 100."""
    accuracy, _ = bootstrap(CONFUSION, seed=1, draws=50_000)
    exact = stats.binom.ppf([0.025, 0.975], 100, 0.7) / 100
    assert tuple(exact) == (0.61, 0.79)
    assert (accuracy.low, accuracy.high) == pytest.approx(tuple(exact), abs=0.011)


def test_bootstrap_gives_what_resampling_images_gives():
    actual, predicted = zip(
        *[cell for cell, count in np.ndenumerate(CONFUSION) for _ in range(count)], strict=True
    )
    rng = np.random.default_rng(0)
    scores = []
    for _ in range(3000):
        drawn = np.zeros((2, 2), int)
        rows = rng.integers(0, 100, 100)
        np.add.at(drawn, (np.array(actual)[rows], np.array(predicted)[rows]), 1)
        scores.append(macro_f1(dict(np.ndenumerate(drawn))))
    _, score = bootstrap(CONFUSION, seed=2, draws=20_000)
    expected = np.percentile(scores, [2.5, 97.5])
    assert (score.low, score.high) == pytest.approx(tuple(expected), abs=0.01)


def test_the_same_seed_gives_the_same_intervals_however_the_draws_are_cut(monkeypatch):
    first = bootstrap(CONFUSION, seed=3)
    assert bootstrap(CONFUSION, seed=3) == first
    assert bootstrap(CONFUSION, seed=4) != first
    monkeypatch.setattr("emotion_pipeline.components.run_report.intervals._CHUNK_CELLS", 400)
    assert bootstrap(CONFUSION, seed=3) == first


def test_a_class_that_never_occurs_is_left_out_of_macro_f1():
    accuracy, score = bootstrap(np.array([[5, 0, 0], [0, 5, 0], [0, 0, 0]]), seed=0)
    assert accuracy == score == Interval(1.0, 1.0)


def test_no_images_have_no_interval():
    with pytest.raises(ValueError, match="holds no images"):
        bootstrap(np.zeros((2, 2)), seed=0)


@pytest.mark.parametrize(("hits", "total"), [(0, 4), (4, 4), (1, 3), (66, 100), (2300, 3589)])
def test_wilson_is_that_of_scipy(hits, total):
    expected = stats.binomtest(hits, total).proportion_ci(0.95, method="wilson")
    interval = wilson(hits, total)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_wilson_of_nothing_is_anything():
    assert wilson(0, 0) == Interval(0.0, 1.0)
    assert wilson(4, 4) == Interval(pytest.approx(0.5101, abs=1e-4), pytest.approx(1.0))
