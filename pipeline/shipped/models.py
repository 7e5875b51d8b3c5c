"""Which models come with the project, and what is known of each."""

import dataclasses
import json
import pathlib
from typing import Any

from emotion_faces.model_folder import INT8_FILE
from emotion_pipeline.components.errors import UsageError
from emotion_pipeline.components.records.calibration_record import Calibration

_FOLDER = pathlib.Path(__file__).parent
_FACTS_FILE = "facts.json"


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of a model.

    Attributes:
      version: Number of the version folder that it is served from.
      labels: Class names in the order of the outputs.
      network: `specified` or `deep`.
      normalize: What is done to the light of each picture before the network.
      flip: Whether an answer is the mean over the image and its mirror image.
      metrics: Figures of the served model on the eval split.
      provenance: Data, recipe, command, commit, seed and date of the training.
      calibration: The temperature of its answers, and where it is from.
    """

    version: int
    labels: list[str]
    network: str
    normalize: str
    flip: bool
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    calibration: Calibration = dataclasses.field(default_factory=Calibration)

    @property
    def kind(self) -> dict[str, Any]:
        """Which network it is, and what comes before and after it, as it travels beside the model."""
        return {
            "network": self.network,
            "normalize": self.normalize,
            "flip": self.flip,
            "temperature": self.calibration.temperature,
        }

    def write(self, folder: pathlib.Path) -> None:
        """Writes `facts.json` into a model's folder."""
        text = json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True) + "\n"
        (folder / _FACTS_FILE).write_text(text, encoding="utf-8")


@dataclasses.dataclass(frozen=True)
class ShippedModel:
    """A model that comes with the project: a folder of weights, facts and a card.

    Attributes:
      name: What `--model` calls it.
      folder: Where it is.
    """

    name: str
    folder: pathlib.Path

    @property
    def weights_file(self) -> pathlib.Path:
        """Its weights, as `weights.pack` writes them."""
        return self.folder / "weights.npz"

    @property
    def card_file(self) -> pathlib.Path:
        """Its model card."""
        return self.folder / "MODEL_CARD.md"

    @property
    def beside(self) -> list[pathlib.Path]:
        """What travels with the model as it is, where it is there: the card, and the model in 8 bits."""
        return [path for path in (self.card_file, self.folder / INT8_FILE) if path.is_file()]

    @property
    def facts(self) -> Facts:
        """What is known of it."""
        content = json.loads((self.folder / _FACTS_FILE).read_text(encoding="utf-8"))
        return Facts(**{**content, "calibration": Calibration(**content.get("calibration", {}))})


def shipped_models(folder: pathlib.Path = _FOLDER) -> list[ShippedModel]:
    """Returns the models that are there, the one that is right most often first."""
    models = [ShippedModel(path.parent.name, path.parent) for path in folder.glob("*/weights.npz")]
    return sorted(models, key=lambda model: (-model.facts.metrics["accuracy"], model.name))


def find_shipped(name: str | None = None) -> ShippedModel:
    """Returns the model of a name, or the one that is right most often.

    Raises:
      UsageError: None of that name comes with the project.
    """
    models = shipped_models()
    for model in models:
        if name in (None, model.name):
            return model
    known = ", ".join(model.name for model in models)
    raise UsageError(f"--model {name}: no such model comes with the project; there are {known}")
