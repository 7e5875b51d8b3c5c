"""What models answer for the pictures that judge, kept with the evaluation that rests on it."""

import dataclasses
import io
import os

import numpy as np
from tfx.dsl.io import fileio

from emotion_pipeline.components.predictions import Predictions

ANSWERS_FILE = "answers.npz"


@dataclasses.dataclass(frozen=True)
class Answers:
    """The answers of a model and of the one to beat for the same N pictures.

    Attributes:
      predictions: The model's.
      baseline: `[N, C]` float32, the other's probabilities in the model's order of classes; None where
        there was none to compare with.
    """

    predictions: Predictions
    baseline: np.ndarray | None = None


def write_answers(answers: Answers, uri: str) -> None:
    """Writes `answers.npz` into the folder of an evaluation."""
    one = answers.predictions
    arrays = {
        "class_names": np.array(one.class_names, np.str_),
        "labels": one.labels,
        "probabilities": one.probabilities,
        "votes": one.votes,
        "paths": one.paths,
    }
    if answers.baseline is not None:
        arrays["baseline"] = answers.baseline
    written = io.BytesIO()
    np.savez_compressed(written, **arrays)
    with fileio.open(os.path.join(uri, ANSWERS_FILE), "wb") as file:
        file.write(written.getvalue())


def read_answers(uri: str) -> Answers | None:
    """Reads what `write_answers` wrote into the folder; None where there is no such file."""
    path = os.path.join(uri, ANSWERS_FILE)
    if not fileio.exists(path):
        return None
    with fileio.open(path, "rb") as file:
        content = io.BytesIO(file.read())
    with np.load(content, allow_pickle=False) as arrays:
        predictions = Predictions(
            class_names=tuple(arrays["class_names"].tolist()),
            labels=arrays["labels"],
            probabilities=arrays["probabilities"],
            votes=arrays["votes"],
            paths=arrays["paths"],
        )
        return Answers(predictions, arrays.get("baseline"))
