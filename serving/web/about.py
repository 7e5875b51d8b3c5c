"""What a model's folder says of the model that is served from it."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from typing import Any

from emotion_faces import model_folder
from emotion_faces.errors import UserError

_EXTRA_DIR = model_folder.EXTRA_DIR
_CARD_NAMES = (f"{_EXTRA_DIR}/MODEL_CARD.md", "MODEL_CARD.md", "../MODEL_CARD.md")
_MAX_CARD_BYTES = 1024 * 1024


@dataclasses.dataclass(frozen=True)
class About:
    """A model's own account of itself; whatever its folder does not state is empty.

    Attributes:
      network: Which network it is, as `assets.extra/network.json` names it.
      metrics: The numbers in `assets.extra/metrics.json`.
      pictures: How many pictures those were measured on; 0 where that is unknown.
      card: The text of its model card: `MODEL_CARD.md` in the version's folder, in its
        `assets.extra`, or beside the versions.
    """

    network: str = ""
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    pictures: int = 0
    card: str = ""


def read_about(model_dir: pathlib.Path | None) -> About:
    """Reads what the newest version in the folder says of itself; None is a server elsewhere.

    Raises:
      UserError: There is no model, or one of its files can't be read.
    """
    if model_dir is None:
        return About()
    version_dir = model_folder.newest_version(model_dir)
    metrics = _read_json(version_dir / _EXTRA_DIR / "metrics.json")
    network = _read_json(version_dir / _EXTRA_DIR / "network.json").get("network", "")
    per_class = metrics.get("per_class")
    return About(
        network=network if isinstance(network, str) else "",
        metrics={
            name: value
            for name, value in metrics.items()
            if isinstance(value, float) and math.isfinite(value)
        },
        pictures=_count_pictures(per_class if isinstance(per_class, dict) else {}),
        card=_read_card(version_dir),
    )


def _count_pictures(per_class: dict[str, Any]) -> int:
    counts = [row.get("images") for row in per_class.values() if isinstance(row, dict)]
    return sum(count for count in counts if isinstance(count, int))


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} can't be read: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds {type(content).__name__}, not an object of names and values")
    return content


def _read_card(version_dir: pathlib.Path) -> str:
    for name in _CARD_NAMES:
        path = version_dir / name
        try:
            if path.is_file():
                with path.open(encoding="utf-8") as file:
                    return file.read(_MAX_CARD_BYTES)
        except (OSError, ValueError) as error:
            raise UserError(f"{path} can't be read: {error}") from None
    return ""
