"""The model that comes with the project is what its card says."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.shipped.export import export_model
from emotion_pipeline.shipped.location import CARD_FILE, WEIGHTS_FILE
from emotion_pipeline.shipped.weights import unpack

_BATCH = 256


def test_the_card_states_the_figures_of_the_weights_file():
    _, facts = unpack(WEIGHTS_FILE)
    card = CARD_FILE.read_text(encoding="utf-8")
    assert f"| accuracy | {facts.metrics['accuracy']:.4f} |" in card
    assert f"| macro F1 | {facts.metrics['macro_f1']:.4f} |" in card
    for label, row in facts.metrics["per_class"].items():
        figures = " | ".join(f"{row[key]:.3f}" for key in ("precision", "recall", "f1"))
        assert f"| {label} | {row['images']} | {figures} |" in card
    assert str(facts.provenance["commit"]) in card


@pytest.mark.slow
def test_the_figures_are_those_on_the_validation_split(fer2013, tmp_path):
    _, facts = unpack(WEIGHTS_FILE)
    files = [
        (path, label)
        for label in facts.labels
        for path in sorted((fer2013 / "images" / "validation" / label).glob("*.jpg"))
    ]
    pixels = np.stack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path, _ in files])
    labels = np.array([facts.labels.index(label) for _, label in files])
    model = tf.saved_model.load(str(export_model(tmp_path)))
    answers = [
        model.signatures["pixels"](
            pixels=tf.constant(pixels[first : first + _BATCH, :, :, None] / np.float32(255))
        )["probabilities"].numpy()
        for first in range(0, len(pixels), _BATCH)
    ]
    predicted = np.concatenate(answers).argmax(axis=1)
    # Half precision of the weights, and bfloat16 on machines that are fast at it, move a few answers.
    assert np.mean(predicted == labels) == pytest.approx(facts.metrics["accuracy"], abs=0.005)
    for index, label in enumerate(facts.labels):
        recall = np.mean(predicted[labels == index] == index)
        assert recall == pytest.approx(facts.metrics["per_class"][label]["recall"], abs=0.03)
