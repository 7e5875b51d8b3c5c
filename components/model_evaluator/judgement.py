"""How a model was judged: by which split, and against which model."""

import dataclasses
import json
import os
from typing import Any

from tfx.dsl.io import fileio

from emotion_pipeline.components.model_evaluator.comparison import Comparison, compare
from emotion_pipeline.components.predictions import class_names, predict
from emotion_pipeline.components.records.answers_record import Answers

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
) -> tuple[Judgement, Answers]:
    """Compares a model with the one to beat, where they can be compared.

    Args:
      model_dir: Folder of the model's SavedModel.
      baseline_dir: Of the one to beat; None where nothing is served.
      baseline: Version of the one to beat.
      split: Name of the split that judges.
      file_pattern: Its TFRecord files.
      confidence: As `comparison.compare` has it.
      max_drop: As `comparison.compare` has it.

    Returns:
      The judgement, and what it rests on: the answers of both.
    """
    model = predict(model_dir, file_pattern)
    if baseline_dir is None:
        return Judgement(split, not_compared="nothing is served yet"), Answers(model)
    try:
        names = class_names(baseline_dir, file_pattern)
    except (OSError, KeyError, ValueError) as error:
        told = " ".join(str(error).split())[:200]
        told = f"version {baseline} gives no classes for a picture ({told})"
        return Judgement(split, baseline, told), Answers(model)
    if set(names) != set(model.class_names):
        theirs, ours = ", ".join(names), ", ".join(model.class_names)
        told = f"version {baseline} has other classes ({theirs}) than this ({ours})"
        return Judgement(split, baseline, told), Answers(model)
    other = predict(baseline_dir, file_pattern)
    comparison = compare(model.correct, other.correct, confidence, max_drop)
    columns = [other.class_names.index(name) for name in model.class_names]
    answers = Answers(model, baseline=other.probabilities[:, columns])
    return Judgement(split, baseline, comparison=comparison), answers


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
        f"{0.0 - one.max_drop:+.4f}"
    )
