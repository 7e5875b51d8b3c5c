import math

import numpy as np
import pytest

from emotion_pipeline.components.run_report.calibration import (
    ReliabilityBin,
    expected_calibration_error,
    reliability,
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
