"""The model's part of the page: curves, confusion, calibration, mistakes."""

import dataclasses

import numpy as np
from markupsafe import Markup

from emotion_pipeline.components.run_report.calibration import (
    ReliabilityBin,
    expected_calibration_error,
    reliability,
)
from emotion_pipeline.components.run_report.charts import (
    learning_curve,
    recall_chart,
    reliability_diagram,
)
from emotion_pipeline.components.run_report.content import ModelContent
from emotion_pipeline.components.run_report.evaluation import ThresholdCheck
from emotion_pipeline.components.run_report.intervals import Interval, bootstrap, wilson
from emotion_pipeline.components.run_report.pictures import Picture, data_uri
from emotion_pipeline.components.run_report.votes_view import VotesScore, vote_scores
from emotion_pipeline.components.scores import macro_f1, per_class

_MAX_CLASSES_DRAWN = 40


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
class MistakeView:
    """A picture that the model is wrong about."""

    picture: Picture
    label: str
    predicted: str
    confidence: float


@dataclasses.dataclass(frozen=True)
class ModelView:
    """All that the template shows of the model."""

    images: int
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    train_accuracy: float
    gap: float
    calibration_error: float
    mean_confidence: float
    bins: list[ReliabilityBin]
    reliability_chart: Markup
    curves: list[Markup]
    training: dict
    class_names: tuple[str, ...]
    confusion: list[list[int]]
    scores: list[ClassScore]
    weakest: ClassScore
    recall_chart: Markup | None
    mistakes: list[MistakeView]
    checks: list[ThresholdCheck]
    vote_scores: list[VotesScore]
    split: str
    judgement: str


def make_model_view(content: ModelContent) -> ModelView:
    """Measures the predictions and draws."""
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
    train_accuracy = float(content.training["train"]["accuracy"])
    return ModelView(
        images=len(predictions.labels),
        accuracy=accuracy,
        accuracy_interval=accuracy_interval,
        macro_f1=macro_f1({(i, j): float(n) for (i, j), n in np.ndenumerate(confusion)}),
        macro_f1_interval=macro_f1_interval,
        train_accuracy=train_accuracy,
        gap=train_accuracy - accuracy,
        calibration_error=expected_calibration_error(bins),
        mean_confidence=float(np.mean(predictions.confidences)),
        bins=[one for one in bins if one.count],
        reliability_chart=reliability_diagram(bins),
        curves=_curves(content),
        training=dict(content.training),
        class_names=names,
        confusion=confusion.tolist(),
        scores=scores,
        weakest=min((one for one in scores if one.images), key=lambda one: one.recall),
        recall_chart=recall_chart([(one.label, one.recall, one.interval) for one in scores])
        if len(scores) <= _MAX_CLASSES_DRAWN
        else None,
        mistakes=[
            MistakeView(
                Picture(data_uri(one.image), one.path), one.label, one.predicted, one.confidence
            )
            for one in predictions.most_wrong
        ],
        checks=list(content.checks),
        vote_scores=vote_scores(predictions),
        split=content.split,
        judgement=content.judgement,
    )


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
