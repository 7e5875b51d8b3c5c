"""The classes' shares in the answers, as people's votes or balanced classes taught them, and as they are."""

import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.modules.networks import build_network
from emotion_pipeline.modules.prior import correct_prior, fit_bias

pytestmark = pytest.mark.slow

NAMES = ["angry", "happy", "sad"]


@pytest.fixture
def answers():
    """Answers for 400 pictures; of the classes the first is called most often."""
    logits = np.random.default_rng(1).normal(size=(400, 3)) * 2 + [1.5, 0, -1]
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def means_after(answers, bias):
    powers = answers * np.exp(bias)
    return (powers / powers.sum(axis=1, keepdims=True)).mean(axis=0)


def test_the_mean_answers_become_the_shares(answers):
    shares = np.array([0.2, 0.3, 0.5])
    bias = fit_bias(answers, shares)
    assert means_after(answers, bias) == pytest.approx(shares, abs=1e-4)
    assert bias.mean() == pytest.approx(0)


def test_shares_that_are_met_need_nothing(answers):
    assert fit_bias(answers, answers.mean(axis=0)) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("name", ["specified", "deep"])
def test_the_network_answers_with_the_shares_of_the_folders(name, share):
    tf.keras.utils.set_random_seed(1)
    network = build_network(name, num_classes=3, dtype_policy="float32")
    pixels = np.random.default_rng(2).random((60, 48, 48, 1), np.float32)
    labels = np.repeat([0, 1, 2], [12, 18, 30])
    before = network(pixels, training=False).numpy()
    words = correct_prior(network, before, labels, share, NAMES)
    after = network(pixels, training=False).numpy()
    wanted = (1 - share) * before.mean(axis=0) + share * np.array([0.2, 0.3, 0.5])
    assert after.mean(axis=0) == pytest.approx(wanted, abs=1e-3)
    assert words.startswith(f"prior correction of {share:g}, added to the logits: angry ")
    assert [part.split()[-2] for part in words.split(": ")[1].split(", ")] == NAMES


def test_a_class_without_a_picture_is_not_made_impossible(answers):
    network = build_network("deep", num_classes=3, dtype_policy="float32")
    correct_prior(network, answers, np.repeat([0, 1], 200), 1.0, NAMES)
    bias = network.layers[-1].bias.numpy()
    means = means_after(answers, bias)
    assert means[2] == pytest.approx(answers.mean(axis=0)[2], rel=0.4)
    assert means[0] == pytest.approx(means[1], abs=1e-3)
