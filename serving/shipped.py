"""The models that come with the installed package, as ONNX."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import json
import pathlib

from emotion_faces.errors import UsageError
from emotion_faces.model_folder import EXTRA_DIR, newest_version

FOLDER = pathlib.Path(__file__).parent / "shipped_models"
"""A folder of versions for each model; the distribution `emotion-faces` is built with it."""

_WEIGHTS = "emotion_pipeline.shipped.location"
"""Where emotion-pipeline is installed: makes models that do not lie ready of their weights."""


@dataclasses.dataclass(frozen=True)
class ShippedModel:
    """A model that comes along.

    Attributes:
      name: What `--model` calls it.
      folder: With its version folder in it.
      card_file: Its model card.
    """

    name: str
    folder: pathlib.Path
    card_file: pathlib.Path


def shipped_models(folder: pathlib.Path = FOLDER) -> list[ShippedModel]:
    """The models that are there, the one that is right most often first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        extra = newest_version(path) / EXTRA_DIR
        metrics = json.loads((extra / "metrics.json").read_text(encoding="utf-8"))
        model = ShippedModel(path.name, path, extra / "MODEL_CARD.md")
        found.append((-metrics["accuracy"], model.name, model))
    return [model for _, _, model in sorted(found, key=lambda entry: entry[:2])]


def find_model(name: str | None = None, folder: pathlib.Path = FOLDER) -> ShippedModel:
    """Returns the model of a name, or the one that is right most often.

    Raises:
      UsageError: None of that name is there.
    """
    models = shipped_models(folder)
    for model in models:
        if name in (None, model.name):
            return model
    if folder == FOLDER and importlib.util.find_spec("emotion_pipeline"):
        return ShippedModel(*importlib.import_module(_WEIGHTS).make_onnx_model(name))
    known = ", ".join(model.name for model in models)
    raise UsageError(
        f"--model {name}: no such model comes with emotion-faces alone, which has {known}; emotion-pipeline has more"
        if models
        else "no model comes with this installation: name one with --model-dir, or a server with --server"
    )
