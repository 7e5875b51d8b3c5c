"""What the model is wrong about, class by class, and why it is so sure of it."""

import dataclasses
import pathlib
from collections.abc import Iterator

import cv2
import numpy as np

from emotion_faces.annotate.draw_why import draw_falls
from emotion_faces.explain import explain_whole
from emotion_faces.local_model import LocalModel
from emotion_pipeline.components.image_ingest.manifest import Manifest
from emotion_pipeline.components.image_ingest.measure import decode_upright
from emotion_pipeline.components.predictions import Predictions
from emotion_pipeline.components.run_report.pictures import (
    MAX_SIDE_PX,
    Picture,
    read_picture,
    rgb_uri,
)

_MAX_PICTURES = 8  # of a class
_PICTURES_IN_ALL = 160
_MAX_MAPS = 12  # each is some 200 answers of the model

FEW_POINTS = 0.05
"""A spot that takes less decides nothing; the web page's `why.js` says so too."""


@dataclasses.dataclass(frozen=True)
class MistakeMap:
    """Which parts of a picture hold the wrong answer up.

    Attributes:
      uri: A `data:` URI of the picture with those parts coloured.
      largest_fall: By how much the answer's probability falls at the most while a spot is covered.
    """

    uri: str
    largest_fall: float

    @property
    def decides(self) -> bool:
        """Whether some spot alone holds the answer up."""
        return self.largest_fall >= FEW_POINTS


@dataclasses.dataclass(frozen=True)
class MistakeView:
    """A picture that the model is wrong about; `why` is there for the surest of its class."""

    picture: Picture
    label: str
    predicted: str
    confidence: float
    why: MistakeMap | None = None


@dataclasses.dataclass(frozen=True)
class ClassMistakes:
    """What becomes of a class: `wrong` of its `images`, taken for `(class, images)`, the most first.

    `pictures` are some of them, the surest first.
    """

    label: str
    images: int
    wrong: int
    taken_for: list[tuple[str, int]]
    pictures: list[MistakeView]


def find_mistakes(
    predictions: Predictions, manifest: Manifest, onnx_file: str = ""
) -> list[ClassMistakes]:
    """Returns the mistakes of each class that has any.

    Args:
      predictions: The model's answers.
      manifest: Has the pictures.
      onnx_file: The model, which is asked why it is so sure; empty leaves that out.
    """
    found = list(_mistakes(predictions, manifest))
    if not onnx_file:
        return found
    model = LocalModel(pathlib.Path(onnx_file), version=0)
    return [
        dataclasses.replace(
            one, pictures=[_explained(one.pictures[0], manifest, model), *one.pictures[1:]]
        )
        if index < _MAX_MAPS
        else one
        for index, one in enumerate(found)
    ]


def _mistakes(predictions: Predictions, manifest: Manifest) -> Iterator[ClassMistakes]:
    names, predicted = predictions.class_names, predictions.predicted
    shown = min(_MAX_PICTURES, max(_PICTURES_IN_ALL // len(names), 1))
    for index, label in enumerate(names):
        labelled = predictions.labels == index
        rows = np.flatnonzero(labelled & ~predictions.correct)
        if not len(rows):
            continue
        # The path decides between those that are as sure, so that the order of the images does not.
        order = np.lexsort((predictions.paths[rows], -predictions.confidences[rows]))
        taken = np.bincount(predicted[rows], minlength=len(names))
        yield ClassMistakes(
            label=label,
            images=int(labelled.sum()),
            wrong=len(rows),
            taken_for=[
                (names[n], int(taken[n])) for n in np.argsort(-taken, kind="stable") if taken[n]
            ],
            pictures=[
                MistakeView(
                    read_picture(manifest.root, str(predictions.paths[row])),
                    label,
                    names[predicted[row]],
                    float(predictions.confidences[row]),
                )
                for row in rows[order][:shown]
            ],
        )


def _explained(mistake: MistakeView, manifest: Manifest, model: LocalModel) -> MistakeView:
    """Adds the map to a mistake; a picture that is gone stays without."""
    if not mistake.picture.uri:
        return mistake
    pixels = decode_upright((manifest.root / mistake.picture.name).read_bytes())
    assert pixels is not None  # or the page would have no picture of it
    why = explain_whole(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), model, mistake.predicted)
    drawn = MistakeMap(rgb_uri(draw_falls(why, MAX_SIDE_PX)), why.largest_fall)
    return dataclasses.replace(mistake, why=drawn)
