"""The thresholds of an evaluation, and what the model reached."""

import dataclasses
import json
import os
from collections.abc import Mapping, Set
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2
from tfx.dsl.io import fileio

from emotion_pipeline.components.constants import EVAL_SPLIT
from emotion_pipeline.components.model_evaluator.judgement import (
    JUDGEMENT_FILE,
    Judgement,
    read_judgement,
)


@dataclasses.dataclass(frozen=True)
class ThresholdCheck:
    """One condition of the blessing.

    Attributes:
      metric: Its name.
      rule: The condition in words.
      value: What the model reached; for a comparison, the difference to the blessed model's accuracy.
      passed: Whether Evaluator found the condition fulfilled.
    """

    metric: str
    rule: str
    value: float
    passed: bool


def read_checks(evaluation_uri: str) -> list[ThresholdCheck]:
    """Reads the conditions on all images together from an Evaluator's `evaluation`.

    They are the value thresholds and, where there was a model to compare with, the comparison.
    """
    config = tfma.load_eval_result(evaluation_uri).config
    return threshold_checks(
        config, _overall(evaluation_uri), _failed(evaluation_uri), judgement_of(evaluation_uri)
    )


def judgement_of(evaluation_uri: str) -> Judgement:
    """Returns how the model was judged; on eval and uncompared where TFX's own Evaluator did it."""
    if fileio.exists(os.path.join(evaluation_uri, JUDGEMENT_FILE)):
        return read_judgement(evaluation_uri)
    return Judgement(EVAL_SPLIT, not_compared="nobody asked for it")


def threshold_checks(
    config: config_pb2.EvalConfig,
    metrics: Mapping[str, float],
    failed: Set[str],
    judgement: Judgement,
) -> list[ThresholdCheck]:
    """Puts each threshold beside what was reached.

    Args:
      config: Has the thresholds, each for all images together.
      metrics: The model's, by name.
      failed: The metrics whose condition does not hold.
      judgement: Has the comparison with the model to beat.
    """
    checks = []
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            for one in metric.per_slice_thresholds:
                name = json.loads(f"{{{metric.config}}}")["name"]
                rule = f"at least {one.threshold.value_threshold.lower_bound.value:.4g}"
                checks.append(ThresholdCheck(name, rule, metrics[name], name not in failed))
    compared = judgement.comparison
    if compared is not None:
        rule = (
            f"with {100 * compared.confidence:g} % confidence no more than {compared.max_drop:.4g} "
            f"below the blessed model's {compared.baseline_accuracy:.4f} on the same pictures"
        )
        checks.append(ThresholdCheck("accuracy", rule, compared.difference, compared.passed))
    return checks


def _overall(evaluation_uri: str) -> Mapping[str, float]:
    result = tfma.load_eval_result(evaluation_uri)
    (metrics,) = [values for key, values in result.slicing_metrics if not key]
    values: Mapping[str, Any] = metrics[""][""]
    return {name: value["doubleValue"] for name, value in values.items() if "doubleValue" in value}


def _failed(evaluation_uri: str) -> set[str]:
    """Returns the name of each metric that failed."""
    result = tfma.load_validation_result(evaluation_uri)
    return {
        failure.metric_key.name
        for one in result.metric_validations_per_slice
        for failure in one.failures
    }
