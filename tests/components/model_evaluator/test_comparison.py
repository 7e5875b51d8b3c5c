import math

import numpy as np
import pytest

from emotion_pipeline.components.model_evaluator.comparison import (
    Comparison,
    compare,
    score,
    upper_bound,
)


def outcomes(both: int, gained: int, lost: int, neither: int):
    """What each of two models has right, in pairs."""
    correct = [True] * (both + gained) + [False] * (lost + neither)
    baseline = [True] * both + [False] * gained + [True] * lost + [False] * neither
    return np.array(correct), np.array(baseline)


def test_against_no_difference_it_is_mcnemars_test():
    assert score(10, 20, 100, 0.0) == pytest.approx((10 - 20) / math.sqrt(30))
    assert score(7, 3, 500, 0.0) == pytest.approx(4 / math.sqrt(10))


def test_the_published_interval():
    """Tango (1998), table III: 43 pairs alike and 1 apart have the 95 % interval -0.118 to 0.059."""
    assert upper_bound(0, 1, 44, 0.975) == pytest.approx(0.059, abs=5e-4)
    assert -upper_bound(1, 0, 44, 0.975) == pytest.approx(-0.118, abs=5e-4)


def test_a_model_that_is_the_same_passes():
    one = compare(*outcomes(60, 0, 0, 40), confidence=0.95, max_drop=0.0)
    assert (one.difference, one.gained, one.lost, one.passed) == (0.0, 0, 0, True)
    assert one.baseline_accuracy == 0.6
    assert one.upper_bound > 0


def test_all_that_a_comparison_tells():
    one = compare(*outcomes(both=50, gained=4, lost=10, neither=36), confidence=0.9, max_drop=0.02)
    assert one == Comparison(
        images=100,
        gained=4,
        lost=10,
        baseline_accuracy=0.6,
        difference=-0.06,
        confidence=0.9,
        upper_bound=upper_bound(4, 10, 100, 0.9),
        max_drop=0.02,
        passed=True,
    )
    # The bound is where the score reaches the quantile of what is left of the confidence.
    assert score(4, 10, 100, one.upper_bound) == pytest.approx(-1.2815515655446004, abs=1e-9)


def test_a_bound_at_the_allowed_drop_passes():
    outcome = outcomes(both=500, gained=5, lost=40, neither=455)
    bound = compare(*outcome, confidence=0.95, max_drop=0.0).upper_bound
    assert bound < 0
    assert compare(*outcome, confidence=0.95, max_drop=-bound).passed
    assert not compare(*outcome, confidence=0.95, max_drop=-bound - 1e-9).passed


def test_the_score_where_nothing_varies():
    assert score(0, 0, 10, 0.0) == 0.0
    assert score(10, 0, 10, 1.0) == 0.0
    assert score(3, 1, 10, 1.0) == -math.inf


@pytest.mark.parametrize(
    ("gained", "lost", "images"), [(0, 0, 20), (20, 0, 20), (0, 20, 20), (3, 9, 40), (9, 3, 40)]
)
def test_the_score_is_the_likelihoods(gained, lost, images):
    """The share lost is the one, of those with the difference, under which the outcome is likeliest."""
    for difference in (-0.3, 0.05, 0.4):
        shares = np.linspace(max(0.0, -difference), (1 - difference) / 2, 200_001)[1:-1]
        likelihood = (
            gained * np.log(shares + difference)
            + lost * np.log(shares)
            + (images - gained - lost) * np.log(1 - 2 * shares - difference)
        )
        lost_share = shares[np.argmax(likelihood)]
        variance = images * (2 * lost_share + difference * (1 - difference))
        expected = (gained - lost - images * difference) / math.sqrt(variance)
        assert score(gained, lost, images, difference) == pytest.approx(expected, rel=1e-3)


def test_the_same_figures_tell_more_where_fewer_pictures_differ():
    # 10 pictures of 1,000 worse, both times; by chance when 110 changed sides, and not when 10 did.
    by_chance = compare(*outcomes(500, 50, 60, 390), confidence=0.95, max_drop=0.0)
    worse = compare(*outcomes(550, 0, 10, 440), confidence=0.95, max_drop=0.0)
    assert by_chance.difference == worse.difference == -0.01
    assert (by_chance.passed, worse.passed) == (True, False)


def test_a_drop_that_is_allowed_passes_and_confidence_decides_how_sure_one_must_be():
    outcome = outcomes(500, 20, 50, 430)
    assert not compare(*outcome, confidence=0.95, max_drop=0.0).passed
    assert compare(*outcome, confidence=0.95, max_drop=0.02).passed
    assert compare(*outcome, confidence=0.9999, max_drop=0.0).passed
    slightly = outcomes(500, 45, 52, 403)
    assert compare(*slightly, confidence=0.95, max_drop=0.0).passed
    assert not compare(*slightly, confidence=0.55, max_drop=0.0).passed


def test_equally_good_models_go_on_passing():
    """The chance to pass does not shrink with the number of models before.

    Models that are right in 0.574 of 1,000 pictures, each compared with the last that passed. A rule
    that asks for no less than the other's figure lets the fifth pass in one case of five.
    """
    rng = np.random.default_rng(7)
    passed = np.zeros((200, 8), bool)
    for chain in passed:
        truth = rng.random(1000) < 0.58
        baseline = truth ^ (rng.random(1000) < 0.1)
        for number in range(len(chain)):
            model = truth ^ (rng.random(1000) < 0.1)
            chain[number] = compare(model, baseline, confidence=0.95, max_drop=0.0).passed
            if chain[number]:
                baseline = model
    rates = passed.mean(axis=0)
    assert rates.min() > 0.85, rates
    assert rates[4:].mean() > rates[:4].mean() - 0.05, rates


def test_refuses_other_pictures():
    with pytest.raises(ValueError, match="of 2 and of 3 pictures"):
        compare(np.ones(2, bool), np.ones(3, bool), 0.95, 0.0)
    with pytest.raises(ValueError, match="of 0"):
        compare(np.ones(0, bool), np.ones(0, bool), 0.95, 0.0)
