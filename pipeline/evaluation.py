"""What Evaluator measures, and what it blesses."""

# The messages where they are defined: TFMA 0.52 no longer hands them on.
from tensorflow_model_analysis.proto import config_pb2 as tfma

from emotion_pipeline.components.features import LABEL_KEY, transformed_key
from emotion_pipeline.components.model_metrics import MACRO_F1_NAME, TOP_CLASS_THRESHOLD
from emotion_pipeline.components.vote_metrics import VOTES_NAME
from emotion_pipeline.configs import ThresholdConfig

ACCURACY_NAME = "accuracy"
LOSS_NAME = "loss"
CONFUSION_NAME = "confusion_matrix"


def make_eval_config(thresholds: ThresholdConfig, votes: bool = False) -> tfma.EvalConfig:
    """Returns the configuration of the evaluation.

    The metrics are accuracy, loss, macro F1 and the confusion matrix, over all and per label. A
    model is blessed when accuracy and macro F1 reach their lower bounds and, where a model is served
    already, the comparison with that does not go against it: see
    `emotion_pipeline.components.model_evaluator`.

    Args:
      thresholds: The bounds; all of them are of the accuracy against the folders' labels.
      votes: Whether there are people's votes, against which the accuracy is measured too.
    """
    accuracy = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": thresholds.accuracy})
    )
    macro_f1 = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": thresholds.macro_f1})
    )
    votes_metrics = [
        tfma.MetricConfig(
            class_name="VotesAccuracy",
            module="emotion_pipeline.components.vote_metrics",
            config=f'"name": "{VOTES_NAME}"',
        )
    ]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name="evaluate",
                preprocessing_function_names=["transform_features"],
                label_key=transformed_key(LABEL_KEY),
            )
        ],
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=[LABEL_KEY])],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(class_name="ExampleCount"),
                    tfma.MetricConfig(
                        class_name="SparseCategoricalAccuracy",
                        config=f'"name": "{ACCURACY_NAME}"',
                        per_slice_thresholds=[_overall(accuracy)],
                    ),
                    tfma.MetricConfig(
                        class_name="SparseCategoricalCrossentropy",
                        config=f'"name": "{LOSS_NAME}"',
                    ),
                    tfma.MetricConfig(
                        class_name="MacroF1",
                        module="emotion_pipeline.components.model_metrics",
                        config=f'"name": "{MACRO_F1_NAME}"',
                        per_slice_thresholds=[_overall(macro_f1)],
                    ),
                    tfma.MetricConfig(
                        class_name="MultiClassConfusionMatrixAtThresholds",
                        config=f'"name": "{CONFUSION_NAME}", "thresholds": [{TOP_CLASS_THRESHOLD}]',
                    ),
                    *(votes_metrics if votes else []),
                ]
            )
        ],
    )


def _overall(threshold: tfma.MetricThreshold) -> tfma.PerSliceMetricThreshold:
    """Applies a threshold to all images together; a plain one would hold for each slice."""
    return tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=threshold)
