"""What the Trainer tells of a training, beside TensorBoard's logs in the artifact `model_run`."""

import json
import os
from collections.abc import Mapping
from typing import Any

from tfx.dsl.io import fileio

TRAINING_FILE = "training.json"


def write_training(model_run_uri: str, training: Mapping[str, Any]) -> None:
    """Writes `training.json` into the folder, made if need be.

    Args:
      model_run_uri: The artifact's folder.
      training: `epochs`, `best_epoch`, `resumed_at`, `precision`, `history`, `train` and `eval` with
        the measures of the best epoch's weights as they are served, without dropout and copies, and
        `calibration`, a `Calibration` as a dict with the errors on eval; where they were asked for, in words,
        `prior_correction`, what was added to the logits, and `int8`, what became of the model in 8 bits.
    """
    fileio.makedirs(model_run_uri)
    with fileio.open(os.path.join(model_run_uri, TRAINING_FILE), "w") as file:
        file.write(json.dumps(training, indent=1))


def read_training(model_run_uri: str) -> dict[str, Any]:
    """Reads what `write_training` wrote into the folder."""
    with fileio.open(os.path.join(model_run_uri, TRAINING_FILE), "r") as file:
        return json.loads(file.read())
