"""The models that come with the project are what their cards say."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from emotion_faces.model_folder import INT8_FILE
from emotion_pipeline.onnx_model.int8 import MAX_ACCURACY_DROP, accuracy_of
from emotion_pipeline.shipped.export import export_model
from emotion_pipeline.shipped.models import find_shipped, shipped_models

_BATCH = 256
_MOST_BYTES = {"specified": 14_000_000, "deep": 7_000_000}


@pytest.fixture(params=shipped_models(), ids=lambda model: model.name)
def model(request):
    return request.param


def test_the_card_states_the_figures_of_the_facts(model):
    facts = model.facts
    card = model.card_file.read_text(encoding="utf-8")
    assert f"| accuracy | {facts.metrics['accuracy']:.4f} |" in card
    assert f"| macro F1 | {facts.metrics['macro_f1']:.4f} |" in card
    for label, row in facts.metrics["per_class"].items():
        figures = " | ".join(f"{row[key]:.3f}" for key in ("precision", "recall", "f1"))
        assert f"| {label} | {row['images']} | {figures} |" in card
    assert str(facts.provenance["commit"]) in card


def test_the_card_states_the_temperature_of_the_facts(model):
    calibration = model.facts.calibration
    card = model.card_file.read_text(encoding="utf-8")
    assert f"| temperature | {calibration.temperature:.3f} |" in card
    errors = f"{calibration.error_before:.4f}, {calibration.error:.4f}"
    assert f"| calibration error, without and with it | {errors} |" in card


def test_its_files_are_small(model):
    files = (model.weights_file, *model.beside)
    assert sum(file.stat().st_size for file in files) <= _MOST_BYTES[model.name]


def validation(class_names, fer2013):
    files = [
        (path, index)
        for index, label in enumerate(class_names)
        for path in sorted((fer2013 / "images" / "validation" / label).glob("*.jpg"))
    ]
    pixels = np.stack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path, _ in files])
    return pixels, np.array([index for _, index in files])


@pytest.mark.slow
def test_eight_bits_cost_less_than_half_a_point(fer2013):
    model = find_shipped("deep")
    pixels, labels = validation(model.facts.labels, fer2013)
    accuracy = accuracy_of((model.folder / INT8_FILE).read_bytes(), pixels[..., None], labels)
    assert accuracy > model.facts.metrics["accuracy"] - MAX_ACCURACY_DROP
    assert not (find_shipped("specified").folder / INT8_FILE).exists()  # it costs that more


@pytest.mark.slow
def test_the_figures_are_those_on_the_validation_split(model, fer2013, tmp_path):
    facts = model.facts
    pixels, labels = validation(facts.labels, fer2013)
    served = tf.saved_model.load(str(export_model(tmp_path, model)))

    def predict(pixels):
        answers = [
            served.signatures["pixels"](
                pixels=tf.constant(pixels[first : first + _BATCH, :, :, None] / np.float32(255))
            )["probabilities"].numpy()
            for first in range(0, len(pixels), _BATCH)
        ]
        return np.concatenate(answers).argmax(axis=1)

    predicted = predict(pixels)
    accuracy = np.mean(predicted == labels)
    # Half precision of the weights, and bfloat16 on machines that are fast at it, move a few answers.
    assert accuracy == pytest.approx(facts.metrics["accuracy"], abs=0.005)
    for index, label in enumerate(facts.labels):
        recall = np.mean(predicted[labels == index] == index)
        assert recall == pytest.approx(facts.metrics["per_class"][label]["recall"], abs=0.03)
    # A picture's light does not matter to it.
    dark = np.round(255 * (pixels / 255) ** 2).astype(np.uint8)
    assert np.mean(predict(dark) == labels) == pytest.approx(accuracy, abs=0.02)
