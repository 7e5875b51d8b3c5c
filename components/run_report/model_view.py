"""The model's part of the page: curves, confusion, calibration."""

import dataclasses

import numpy as np
from markupsafe import Markup

from emotion_pipeline.components.calibration import (
    ReliabilityBin,
    calibration_error,
    expected_calibration_error,
    reliability,
    tempered,
)
from emotion_pipeline.components.image_ingest.manifest import Manifest
from emotion_pipeline.components.predictions import Predictions
from emotion_pipeline.components.records.calibration_record import Calibration
from emotion_pipeline.components.run_report.charts import (
    learning_curve,
    recall_chart,
    reliability_diagram,
)
from emotion_pipeline.components.run_report.content import ModelContent
from emotion_pipeline.components.run_report.evaluation import ThresholdCheck
from emotion_pipeline.components.run_report.intervals import Interval, bootstrap, wilson
from emotion_pipeline.components.run_report.mistakes import ClassMistakes, find_mistakes
from emotion_pipeline.components.run_report.slices import Slice, slice_accuracy
from emotion_pipeline.components.run_report.verdict import (
    Naive,
    collapse,
    describe_naive,
    naive,
)
from emotion_pipeline.components.run_report.votes_view import VotesScore, vote_scores
from emotion_pipeline.components.scores import macro_f1, per_class

_MAX_CLASSES_DRAWN = 40
_MAX_PAIRS = 6


@dataclasses.dataclass(frozen=True)
class ClassScore:
    """How good the model is at one class."""

    label: str
    precision: float
    recall: float
    f1: float
    images: int
    interval: Interval


@dataclasses.dataclass(frozen=True)
class Pair:
    """How many images of a label, and which share of them, are taken for another class."""

    label: str
    predicted: str
    images: int
    share: float


@dataclasses.dataclass(frozen=True)
class ModelView:
    """All that the template shows of the model."""

    images: int
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    top2: float
    naive: Naive
    guess: str
    collapse: list[str]
    train_accuracy: float
    gap: float
    calibration_error: float
    calibration: Calibration
    mean_confidence: float
    bins: list[ReliabilityBin]
    reliability_chart: Markup | None
    curves: list[Markup]
    training: dict
    class_names: tuple[str, ...]
    confusion: list[list[int]]
    pairs: list[Pair]
    scores: list[ClassScore]
    weakest: list[ClassScore]
    recall_chart: Markup | None
    mistakes: list[ClassMistakes]
    slices: dict[str, list[Slice]]
    checks: list[ThresholdCheck]
    vote_scores: list[VotesScore]
    split: str
    judgement: str


def make_model_view(content: ModelContent, manifest: Manifest, is_drawn: bool = True) -> ModelView:
    """Measures the predictions and draws.

    Args:
      content: The model's answers and training.
      manifest: Has the pictures, and what they are like.
      is_drawn: Whether charts are drawn and pictures read: a card shows none.
    """
    predictions = content.predictions
    confusion = predictions.confusion()
    accuracy_interval, macro_f1_interval = bootstrap(confusion, content.seed)
    names = predictions.class_names
    measured = per_class(confusion.tolist(), list(names))
    scores = [
        ClassScore(
            label=name,
            precision=measured[name]["precision"],
            recall=measured[name]["recall"],
            f1=measured[name]["f1"],
            images=int(measured[name]["images"]),
            interval=wilson(int(confusion[index, index]), int(confusion[index].sum())),
        )
        for index, name in enumerate(names)
    ]
    bins = reliability(predictions.confidences, predictions.correct)
    accuracy = float(predictions.correct.mean())
    without_a_look = naive(confusion.tolist(), names)
    error = expected_calibration_error(bins)
    train_accuracy = float(content.training["train"]["accuracy"])
    return ModelView(
        images=len(predictions.labels),
        accuracy=accuracy,
        accuracy_interval=accuracy_interval,
        macro_f1=macro_f1({(i, j): float(n) for (i, j), n in np.ndenumerate(confusion)}),
        macro_f1_interval=macro_f1_interval,
        top2=_top2(predictions),
        naive=without_a_look,
        guess=describe_naive(without_a_look),
        collapse=collapse(confusion.tolist(), names, accuracy_interval),
        train_accuracy=train_accuracy,
        gap=train_accuracy - accuracy,
        calibration_error=error,
        calibration=_calibration(content, error),
        mean_confidence=float(np.mean(predictions.confidences)),
        bins=[one for one in bins if one.count],
        reliability_chart=reliability_diagram(bins) if is_drawn else None,
        curves=_curves(content) if is_drawn else [],
        training=dict(content.training),
        class_names=names,
        confusion=confusion.tolist(),
        pairs=_pairs(confusion, names),
        scores=scores,
        weakest=_weakest(scores),
        recall_chart=recall_chart([(one.label, one.recall, one.interval) for one in scores])
        if is_drawn and len(scores) <= _MAX_CLASSES_DRAWN
        else None,
        mistakes=find_mistakes(predictions, manifest, content.onnx_file) if is_drawn else [],
        slices=slice_accuracy(manifest.table, predictions),
        checks=list(content.checks),
        vote_scores=vote_scores(predictions),
        split=content.split,
        judgement=content.judgement,
    )


def _calibration(content: ModelContent, error: float) -> Calibration:
    """Returns what the training says of the temperature, with the errors on these pictures."""
    told = Calibration(**content.training["calibration"])
    predictions = content.predictions
    without = tempered(predictions.probabilities, 1 / told.temperature)
    before = calibration_error(without, predictions.labels)
    return dataclasses.replace(told, error_before=before, error=error)


def _weakest(scores: list[ClassScore]) -> list[ClassScore]:
    """Returns the classes of the lowest recall; none where all recalls are alike."""
    recalls = [one.recall for one in scores if one.images]
    if min(recalls) == max(recalls):
        return []
    return [one for one in scores if one.images and one.recall == min(recalls)]


def _top2(predictions: Predictions) -> float:
    """Returns the share of the images whose label is among the two likeliest classes."""
    rows = np.arange(len(predictions.labels))
    of_label = predictions.probabilities[rows, predictions.labels]
    likelier = (predictions.probabilities > of_label[:, None]).sum(axis=1)
    return float((likelier < 2).mean())


def _pairs(confusion: np.ndarray, names: tuple[str, ...]) -> list[Pair]:
    """Returns the confusions of most images, the most first."""
    pairs = [
        Pair(names[actual], names[answer], int(count), float(count / confusion[actual].sum()))
        for (actual, answer), count in np.ndenumerate(confusion)
        if count and actual != answer
    ]
    return sorted(pairs, key=lambda one: -one.images)[:_MAX_PAIRS]


def _curves(content: ModelContent) -> list[Markup]:
    history = content.training["history"]
    if not history:
        return []
    return [
        learning_curve(
            metric,
            [row[metric] for row in history],
            [row[f"val_{metric}"] for row in history],
            content.training["best_epoch"],
        )
        for metric in ("accuracy", "loss")
    ]
