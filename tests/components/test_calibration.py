import math

import numpy as np
import pytest

from emotion_pipeline.components.calibration import (
    ReliabilityBin,
    calibration_error,
    expected_calibration_error,
    fit_temperature,
    reliability,
    tempered,
)


def test_sorts_predictions_into_bins_by_confidence():
    bins = reliability(
        np.array([0.0, 0.5, 0.25, 1.0, 0.75], np.float32),
        np.array([False, True, True, True, False]),
        num_bins=2,
    )
    assert bins == [
        # The upper bound belongs to a bin, the lower one does not.
        ReliabilityBin(0.0, 0.5, 3, 0.25, pytest.approx(2 / 3)),
        ReliabilityBin(0.5, 1.0, 2, 0.875, 0.5),
    ]


def test_an_empty_bin_is_there_with_zeros():
    bins = reliability(np.array([0.9]), np.array([True]), num_bins=3)
    assert [one.count for one in bins] == [0, 0, 1]
    assert (bins[0].confidence, bins[0].accuracy) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("confidences", "correct", "expected"),
    [
        ([0.9, 0.9, 0.6, 0.6], [True, False, True, True], 0.4),
        ([1.0, 1.0], [True, True], 0.0),
        ([1.0, 1.0], [False, False], 1.0),
        # Three at 0.5, one right in three, and one at 0.7 that is wrong.
        ([0.5, 0.5, 0.5, 0.7], [True, False, False, False], (3 / 4) * (1 / 6) + (1 / 4) * 0.7),
    ],
)
def test_expected_calibration_error(confidences, correct, expected):
    bins = reliability(np.array(confidences), np.array(correct))
    assert expected_calibration_error(bins) == pytest.approx(expected)


def test_nothing_has_no_calibration():
    assert math.isnan(expected_calibration_error(reliability(np.array([]), np.array([]))))


def test_a_temperature_divides_the_logits_and_its_inverse_takes_it_back():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]], np.float32)
    softer = tempered(probabilities, 2.0)
    roots = np.sqrt([0.7, 0.2, 0.1])
    np.testing.assert_allclose(softer[0], roots / roots.sum(), rtol=1e-6)
    assert softer.dtype == np.float32
    np.testing.assert_allclose(tempered(softer, 0.5), probabilities, atol=1e-6)
    assert tempered(probabilities, 1.0) is probabilities


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 3.0])
def test_recovers_the_temperature_that_answers_were_made_too_sure_by(temperature):
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (20_000, 7))
    right = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (right.cumsum(axis=1) < rng.random((len(right), 1))).sum(axis=1)
    said = tempered(right, 1 / temperature).astype(np.float32)
    assert fit_temperature(said, labels) == pytest.approx(temperature, rel=0.03)
    assert calibration_error(tempered(said, temperature), labels) < 0.015


@pytest.mark.parametrize(("right", "bound"), [(0, 0.25), (1, 4.0)])
def test_a_temperature_has_bounds(right, bound):
    """Answers that are always right cannot be too sure, those that are always wrong not unsure enough."""
    said = np.tile(np.array([0.9, 0.1], np.float32), (10, 1))
    assert fit_temperature(said, np.full(10, right)) == pytest.approx(bound)
