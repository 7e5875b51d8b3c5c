"""What Evaluator measured, read from its artifact."""

from typing import Any

import tensorflow_model_analysis as tfma

from emotion_pipeline.components.model_metrics import MACRO_F1_NAME
from emotion_pipeline.components.scores import per_class
from emotion_pipeline.components.vote_metrics import FIGURES, metric_names
from emotion_pipeline.evaluation import ACCURACY_NAME, CONFUSION_NAME, LOSS_NAME


def evaluation_metrics(evaluation_uri: str, labels: list[str]) -> dict[str, Any]:
    """Reads TFMA's result.

    Args:
      evaluation_uri: Folder of an Evaluator's `evaluation` artifact.
      labels: Class names in index order.

    Returns:
      `accuracy`, `loss`, `macro_f1`, `confusion_matrix` (`[actual][predicted]` counts) and
      `per_class`: precision, recall, F1 and number of images by class name; `votes` where the
      accuracy against votes was measured: `most` and `agreed`, each `images` and `accuracy`, which is
      None of no images.
    """
    result = tfma.load_eval_result(evaluation_uri)
    overall = next(values for key, values in result.slicing_metrics if not key)[""][""]
    size = len(labels)
    confusion = [[0] * size for _ in range(size)]
    for entry in overall[CONFUSION_NAME]["multiClassConfusionMatrixAtThresholds"]["matrices"][0][
        "entries"
    ]:
        actual, predicted = entry.get("actualClassId", 0), entry.get("predictedClassId", 0)
        confusion[actual][predicted] = int(entry["numWeightedExamples"])
    votes = {figure: _votes_figure(overall, *metric_names(figure)) for figure in FIGURES}
    return {
        "accuracy": overall[ACCURACY_NAME]["doubleValue"],
        "loss": overall[LOSS_NAME]["doubleValue"],
        "macro_f1": overall[MACRO_F1_NAME]["doubleValue"],
        "confusion_matrix": confusion,
        "per_class": per_class(confusion, labels),
        **({"votes": votes} if all(votes.values()) else {}),
    }


def _votes_figure(overall: dict[str, Any], images: str, accuracy: str) -> dict[str, Any] | None:
    if images not in overall:
        return None
    count = int(overall[images]["doubleValue"])
    return {"images": count, "accuracy": overall[accuracy]["doubleValue"] if count else None}
