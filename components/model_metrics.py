"""Metrics that TFMA lacks."""

from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.metrics import multi_class_confusion_matrix_metrics as confusion

MACRO_F1_NAME = "macro_f1"

TOP_CLASS_THRESHOLD = 0.0
"""Threshold of a confusion matrix in which the class with the top score is the prediction."""


class MacroF1(metric_types.Metric):
    """The unweighted mean over classes of F1, each prediction being the class with the top score.

    A class that occurs in the slice neither as label nor as prediction is left out of the mean.
    """

    def __init__(self, name: str = MACRO_F1_NAME):
        """Takes the name under which the metric is reported."""
        super().__init__(
            metric_util.merge_per_key_computations(_computations),
            name=name,
        )


metric_types.register_metric(MacroF1)


def macro_f1(counts: dict[tuple[int, int], float]) -> float:
    """Returns macro F1 from `{(actual, predicted): count}`; NaN for no counts.

    F1 of a class is 2 TP / (2 TP + FP + FN).

    Example:
      F1 of 2/3 and of 4/5 have a mean of 11/15:

      >>> round(macro_f1({(0, 0): 1, (0, 1): 1, (1, 1): 2}), 4)
      0.7333
    """
    totals: dict[int, float] = {}
    hits: dict[int, float] = {}
    for (actual, predicted), count in counts.items():
        if not count:
            continue
        totals[actual] = totals.get(actual, 0.0) + count
        totals[predicted] = totals.get(predicted, 0.0) + count
        if actual == predicted:
            hits[actual] = hits.get(actual, 0.0) + count
    if not totals:
        return float("nan")
    return sum(2 * hits.get(label, 0.0) / total for label, total in totals.items()) / len(totals)


def per_class(confusion: list[list[int]], labels: list[str]) -> dict[str, dict[str, float]]:
    """Returns precision, recall, F1 and images of each class from `[actual][predicted]` counts.

    A ratio with nothing below the line is 0.
    """
    result = {}
    for index, label in enumerate(labels):
        hits = confusion[index][index]
        actual = sum(confusion[index])
        predicted = sum(row[index] for row in confusion)
        result[label] = {
            "precision": hits / predicted if predicted else 0.0,
            "recall": hits / actual if actual else 0.0,
            "f1": 2 * hits / (actual + predicted) if actual + predicted else 0.0,
            "images": actual,
        }
    return result


def _computations(
    name: str = MACRO_F1_NAME,
    eval_config=None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    key = metric_types.MetricKey(
        name=name,
        model_name=model_name,
        output_name=output_name,
        example_weighted=example_weighted,
    )
    # A threshold below every top score: the top class always counts as the prediction.
    matrices = confusion.multi_class_confusion_matrices(
        thresholds=[TOP_CLASS_THRESHOLD],
        eval_config=eval_config,
        model_name=model_name,
        output_name=output_name,
        example_weighted=example_weighted,
    )
    matrices_key = matrices[-1].keys[-1]

    def result(metrics):
        return {key: macro_f1(metrics[matrices_key].get(TOP_CLASS_THRESHOLD, {}))}

    return [*matrices, metric_types.DerivedMetricComputation(keys=[key], result=result)]
