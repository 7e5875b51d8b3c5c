"""Metrics that TFMA lacks."""

from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.metrics import multi_class_confusion_matrix_metrics as confusion

from emotion_pipeline.components.scores import macro_f1

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
