"""What comes back for an image, whoever answers: a module of its own, so that asking needs no gRPC."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Prediction:
    """One image's answer: the likeliest class, each class's probability, who answered."""

    label: str
    probabilities: dict[str, float]
    model_version: int


@dataclasses.dataclass(frozen=True)
class ImageError:
    """Why one image is refused: a gRPC status code's name and a text."""

    code: str
    message: str
