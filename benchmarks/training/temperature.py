"""Fits the temperature of a model that comes with the project, and measures what it does.

    python -m benchmarks.training.temperature MODEL --data FER2013/images/validation [--votes FILE.csv] [--write]

MODEL is `deep` or `specified`, DIR class folders that it was not trained on. These are halved, copies and near copies
on one side (`emotion_pipeline.modules.calibration.hold_out`): one half fits the temperature, the other measures the
answers without it and with it. Where a bootstrap over the first half's pictures has 1 within its 95 % interval, there
is nothing to correct, and the temperature is 1.

Prints as JSON what was found; with `--votes`, FER+'s, also what the temperature does to the answers where six in ten
people agree, which it was not fitted to. With `--write` the model's `facts.json` says it, and whatever is made of that
answers with it; the card is a person's.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np
import onnxruntime

from benchmarks.training.peers import AGREED, FOLDER, labelled_pictures
from emotion_pipeline.components.calibration import calibration_error, fit_temperature, tempered
from emotion_pipeline.components.records.calibration_record import Calibration
from emotion_pipeline.modules.calibration import LEAST_PICTURES, hold_out
from emotion_pipeline.modules.training_data import Split
from emotion_pipeline.onnx_model.model import make_onnx
from emotion_pipeline.shipped.models import ShippedModel, find_shipped
from emotion_pipeline.shipped.weights import unpack

SEED = 1
RESAMPLES = 1000
_BATCH = 32


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--data", metavar="DIR", type=pathlib.Path, required=True)
    parser.add_argument("--votes", type=pathlib.Path)
    parser.add_argument("--write", action="store_true", help="change the model's facts.json")
    options = parser.parse_args()
    model = find_shipped(options.model)
    pixels, truths = labelled_pictures(options.data, options.votes)
    labels = truths[FOLDER]
    answers = untempered_answers(model, pixels)
    measure, fit = halves_of(pixels, labels)
    found, calibration = fit_and_measure(
        (answers[fit], labels[fit]), (answers[measure], labels[measure])
    )
    if options.votes:
        agreed = measure[truths[AGREED][measure] >= 0]
        found[AGREED] = {
            "pictures": len(agreed),
            **figures(answers[agreed], truths[AGREED][agreed], found["temperature"]),
        }
    print(json.dumps({**found, "calibration": dataclasses.asdict(calibration)}, indent=1))
    print(calibration.describe(), file=sys.stderr)
    if options.write:
        dataclasses.replace(model.facts, calibration=calibration).write(model.folder)
    return 0


def halves_of(pixels: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Returns the indices of two halves of `[N, 48, 48]` uint8 pictures, copies and near copies on one side."""
    paths = np.array([b"%d" % number for number in range(len(labels))], object)
    split = Split(pixels[..., np.newaxis], labels, np.zeros(len(labels), bool), paths=paths)
    return [half.paths.astype(int) for half in hold_out(split, 0.5, SEED)[:2]]


def fit_and_measure(
    fit: tuple[np.ndarray, np.ndarray], measure: tuple[np.ndarray, np.ndarray]
) -> tuple[dict, Calibration]:
    """Returns the figures, and what the model is to have.

    Args:
      fit: `[N, C]` float32 probabilities without a temperature and `[N]` labels that fit it.
      measure: The same of other pictures, to measure it on.
    """
    rng = np.random.default_rng(SEED)
    temperature = fit_temperature(*fit)

    def drawn_anew(count: int) -> list[float]:
        rows = rng.integers(0, len(fit[1]), (RESAMPLES, count))
        return [fit_temperature(*(column[one] for column in fit)) for one in rows]

    low, high = np.percentile(drawn_anew(len(fit[1])), [2.5, 97.5])
    measured = figures(*measure, temperature)
    found = {
        "pictures": {"fit": len(fit[1]), "measure": len(measure[1])},
        "temperature": round(temperature, 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
        "temperature of the other half": round(fit_temperature(*measure), 4),
        f"standard deviation of {LEAST_PICTURES} pictures'": round(
            float(np.std(drawn_anew(LEAST_PICTURES))), 4
        ),
        **measured,
    }
    before, after = (one["calibration error"] for one in measured.values())
    if low <= 1 <= high:
        note = (
            f"fitted on {len(fit[1]):,} validation pictures it is {temperature:.3f}, within chance of 1 "
            f"({low:.3f} to {high:.3f})"
        )
        return found, Calibration(1.0, 0, note, before, before)
    note = "validation pictures, which also chose the epoch, and measured on the others"
    return found, Calibration(round(temperature, 4), len(fit[1]), note, before, after)


def figures(probabilities: np.ndarray, labels: np.ndarray, temperature: float) -> dict:
    """Returns how sure and how right `[N, C]` answers are, without the temperature and with it."""
    sides = {"without": probabilities, "with": tempered(probabilities, temperature)}
    return {
        name: {
            "calibration error": round(calibration_error(one, labels), 4),
            "loss": round(loss(one, labels), 4),
            "mean confidence": round(float(one.max(axis=1).mean()), 4),
            "accuracy": round(float((one.argmax(axis=1) == labels).mean()), 4),
        }
        for name, one in sides.items()
    }


def untempered_answers(model: ShippedModel, pixels: np.ndarray) -> np.ndarray:
    """Returns `[N, C]` float32 probabilities as served but for the temperature, of `[N, 48, 48]` uint8."""
    facts = model.facts
    file = make_onnx(unpack(model.weights_file), facts.labels, **{**facts.kind, "temperature": 1.0})
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    scaled = (
        pixels[first : first + _BATCH, :, :, np.newaxis] / np.float32(255)
        for first in range(0, len(pixels), _BATCH)
    )
    return np.concatenate([session.run(None, {"pixels": one})[0] for one in scaled])


def loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean negative log likelihood of `[N]` labels."""
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


if __name__ == "__main__":
    sys.exit(main())
