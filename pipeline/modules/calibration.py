"""Train pictures that are kept out of a training, and the temperature that is fitted on them."""

import functools

import numpy as np
import pandas as pd

from emotion_pipeline.components.calibration import (
    HIGHEST,
    LOWEST,
    calibration_error,
    fit_temperature,
    tempered,
)
from emotion_pipeline.components.image_ingest.draw import draw_share
from emotion_pipeline.components.image_ingest.manifest import KEPT
from emotion_pipeline.components.image_ingest.measure import measure_pixels
from emotion_pipeline.components.progress import report
from emotion_pipeline.components.records.calibration_record import NOT_ASKED, Calibration
from emotion_pipeline.modules.training_data import Split

LEAST_PICTURES = 200
"""Of fewer no temperature is fitted, and none are kept out: of 200 of FER2013's, drawn anew and anew, it
varies by 0.1 (standard deviation), half of what it is worth."""

HELD_OUT = "train pictures that were kept out of the training"


def hold_out(split: Split, share: float, seed: int, group_by: str = "") -> tuple[Split, Split, str]:
    """Divides a train split into what is learned from and what the temperature is fitted on.

    Whole groups are kept out, as `draw_share` finds them on the network's pixels: a picture with its
    copies, near copies and what `group_by` puts with it, and the translated copies of all of these.

    Args:
      split: As `load_split` gives it.
      share: Of each class's pictures, in [0, 0.5); 0 keeps out none.
      seed: Another one keeps out others.
      group_by: The run's setting.

    Returns:
      The rest, the pictures that are kept out, without translated copies, and which these are in
      words, or why there are none.
    """
    none = split.select(np.zeros(len(split), bool))
    if not share:
        return split, none, NOT_ASKED
    originals = split.originals()
    inside = _draw(originals, share, seed, group_by)
    if inside.sum() < LEAST_PICTURES:
        note = (
            f"train.calibration_share={share:g} is {inside.sum()} of {len(originals)} train pictures, "
            f"and fewer than {LEAST_PICTURES} say too little; all were trained on"
        )
        report(note)
        return split, none, note
    held_out = set(originals.paths[inside])
    is_out = np.array([path in held_out for path in split.paths])
    report(f"{inside.sum()} of {len(originals)} train pictures are kept out for the temperature")
    return split.select(~is_out), split.select(is_out & ~split.is_copy), HELD_OUT


def calibrate(
    held_out: tuple[np.ndarray, np.ndarray], measured: tuple[np.ndarray, np.ndarray], note: str
) -> Calibration:
    """Fits the temperature, and measures what it does to other pictures.

    Args:
      held_out: `[N, C]` float32 probabilities, as served but for the temperature, and `[N]` labels of
        the pictures to fit it on; with N of 0 it is 1.
      measured: The same of the eval split.
      note: Which pictures fit it, or why none do.
    """
    temperature = fit_temperature(*held_out) if len(held_out[1]) else 1.0
    if not 1.001 * LOWEST < temperature < 0.999 * HIGHEST:
        note += " (the end of its range: such a model has learned little)"
    probabilities, labels = measured
    found = Calibration(
        temperature,
        len(held_out[1]),
        note,
        error_before=calibration_error(probabilities, labels),
        error=calibration_error(tempered(probabilities, temperature), labels),
    )
    if found.pictures:
        report(found.describe())
    return found


def _draw(originals: Split, share: float, seed: int, group_by: str) -> np.ndarray:
    """Returns which pictures are kept out, `[N]` bool."""
    paths = [path.decode("utf-8") for path in originals.paths]
    pixels = dict(zip(paths, originals.pixels[..., 0], strict=True))
    table = pd.DataFrame([measure_pixels(one)._asdict() for one in pixels.values()])
    table = table.assign(path=paths, label=originals.labels, content_hash="", status=KEPT)
    load = functools.partial(dict.__getitem__, pixels)
    return draw_share(table, share, load, group_by, seed).to_numpy(bool)
