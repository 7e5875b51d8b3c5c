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
from emotion_pipeline.components.run_report.verdict import below


@dataclasses.dataclass(frozen=True)
class ThresholdCheck:
    """One condition of the blessing.

    Attributes:
      metric: Its name.
      rule: The condition in words.
      value: What the model reached; for a comparison, the difference to the blessed model's accuracy.
      passed: Whether Evaluator found the condition fulfilled.
      failure: By how much it is missed, in words; empty where it is not.
    """

    metric: str
    rule: str
    value: float
    passed: bool
    failure: str = ""


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
                bound = one.threshold.value_threshold.lower_bound.value
                missed = below(name, metrics[name], bound) if name in failed else ""
                rule = f"at least {bound:.4g}"
                checks.append(ThresholdCheck(name, rule, metrics[name], not missed, missed))
    compared = judgement.comparison
    if compared is not None:
        rule = (
            f"with {100 * compared.confidence:g} % confidence no more than {compared.max_drop:.4g} "
            f"below the blessed model's {compared.baseline_accuracy:.4f} on the same pictures"
        )
        missed = (
            ""
            if compared.passed
            else f"accuracy is {-compared.difference:.3f} below version {judgement.baseline}'s "
            f"{compared.baseline_accuracy:.3f} on the same {compared.images:,} pictures, with "
            f"{100 * compared.confidence:g} % confidence at least {-compared.upper_bound:.3f}; "
            f"allowed is {compared.max_drop:g}"
        )
        checks.append(ThresholdCheck("accuracy", rule, compared.difference, not missed, missed))
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
