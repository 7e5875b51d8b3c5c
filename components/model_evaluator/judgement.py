"""How a model was judged: by which split, and against which model."""

import dataclasses
import json
import os
from typing import Any

from tfx.dsl.io import fileio

from emotion_pipeline.components.model_evaluator.comparison import Comparison, compare
from emotion_pipeline.components.predictions import class_names, predict

JUDGEMENT_FILE = "judgement.json"


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What `judgement.json` holds; see `emotion_pipeline.components.model_evaluator`."""

    split: str
    baseline: str = ""
    not_compared: str = ""
    comparison: Comparison | None = None


def judge(
    model_dir: str,
    baseline_dir: str | None,
    baseline: str,
    split: str,
    file_pattern: str,
    confidence: float,
    max_drop: float,
) -> Judgement:
    """Compares a model with the one to beat, where they can be compared.

    Args:
      model_dir: Folder of the model's SavedModel.
      baseline_dir: Of the one to beat; None where nothing is served.
      baseline: Version of the one to beat.
      split: Name of the split that judges.
      file_pattern: Its TFRecord files.
      confidence: As `comparison.compare` has it.
      max_drop: As `comparison.compare` has it.
    """
    if baseline_dir is None:
        return Judgement(split, not_compared="nothing is served yet")
    model = predict(model_dir, file_pattern, num_wrong=0)
    try:
        names = class_names(baseline_dir, file_pattern)
    except (OSError, KeyError, ValueError) as error:
        told = " ".join(str(error).split())[:200]
        return Judgement(
            split, baseline, f"version {baseline} gives no classes for a picture ({told})"
        )
    if set(names) != set(model.class_names):
        theirs, ours = ", ".join(names), ", ".join(model.class_names)
        return Judgement(
            split, baseline, f"version {baseline} has other classes ({theirs}) than this ({ours})"
        )
    other = predict(baseline_dir, file_pattern, num_wrong=0)
    comparison = compare(model.correct, other.correct, confidence, max_drop)
    return Judgement(split, baseline, comparison=comparison)


def write_judgement(judgement: Judgement, evaluation_uri: str) -> None:
    """Writes `judgement.json` into the folder of an evaluation."""
    with fileio.open(os.path.join(evaluation_uri, JUDGEMENT_FILE), "w") as file:
        file.write(json.dumps(dataclasses.asdict(judgement), indent=1) + "\n")


def read_judgement(evaluation_uri: str) -> Judgement:
    """Reads what `write_judgement` wrote."""
    with fileio.open(os.path.join(evaluation_uri, JUDGEMENT_FILE), "r") as file:
        content: dict[str, Any] = json.loads(file.read())
    comparison = content.pop("comparison")
    return Judgement(**content, comparison=Comparison(**comparison) if comparison else None)


def describe(judgement: Judgement) -> str:
    """Returns the comparison in words, for the log, the terminal and the page."""
    one = judgement.comparison
    if one is None:
        return f"not compared with an earlier model: {judgement.not_compared}"
    return (
        f"accuracy {one.difference:+.4f} against version {judgement.baseline} on the same "
        f"{one.images} pictures of {judgement.split} ({one.gained} gained, {one.lost} lost); with "
        f"{one.confidence:.0%} confidence at most {one.upper_bound:+.4f}, allowed from "
        f"{-one.max_drop:+.4f}"
    )
