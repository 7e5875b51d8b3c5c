"""The thresholds of an evaluation, and what the model reached."""

import dataclasses
import json
from collections.abc import Mapping, Set
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2


@dataclasses.dataclass(frozen=True)
class ThresholdCheck:
    """One condition of the blessing.

    Attributes:
      metric: Its name.
      rule: The condition in words.
      value: What the model reached; for a comparison, the difference to the blessed model.
      passed: Whether Evaluator found the condition fulfilled.
    """

    metric: str
    rule: str
    value: float
    passed: bool


def read_checks(evaluation_uri: str) -> list[ThresholdCheck]:
    """Reads the conditions on all images together from an Evaluator's `evaluation`.

    Value thresholds come as they are; a change threshold only where there was a model to compare
    with.
    """
    config = tfma.load_eval_result(evaluation_uri).config
    if any(spec.name == tfma.BASELINE_KEY for spec in config.model_specs):
        candidate = _overall(evaluation_uri, tfma.CANDIDATE_KEY)
        baseline = _overall(evaluation_uri, tfma.BASELINE_KEY)
    else:
        candidate, baseline = _overall(evaluation_uri, None), None
    return threshold_checks(config, candidate, baseline, _failed(evaluation_uri))


def threshold_checks(
    config: config_pb2.EvalConfig,
    candidate: Mapping[str, float],
    baseline: Mapping[str, float] | None,
    failed: Set[tuple[str, bool]],
) -> list[ThresholdCheck]:
    """Puts each threshold beside what was reached.

    Args:
      config: Has the thresholds, each for all images together.
      candidate: The model's metrics by name.
      baseline: Those of the model to beat; None where there is none.
      failed: `(metric, whether as a change)` of each condition that does not hold.
    """
    checks = []
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            for one in metric.per_slice_thresholds:
                name = json.loads(f"{{{metric.config}}}")["name"]
                value = candidate[name]
                if one.threshold.HasField("value_threshold"):
                    rule = f"at least {one.threshold.value_threshold.lower_bound.value:.4g}"
                    checks.append(ThresholdCheck(name, rule, value, (name, False) not in failed))
                if one.threshold.HasField("change_threshold") and baseline is not None:
                    allowed = round(-one.threshold.change_threshold.absolute.value, 6)
                    before = baseline[name]
                    rule = f"at most {allowed:.4g} below the blessed model's {before:.4f}"
                    passed = (name, True) not in failed
                    checks.append(ThresholdCheck(name, rule, value - before, passed))
    # With a baseline TFMA writes the metrics' specification once for each model.
    return list(dict.fromkeys(checks))


def _overall(evaluation_uri: str, model_name: str | None) -> Mapping[str, float]:
    result = tfma.load_eval_result(evaluation_uri, model_name=model_name)
    (metrics,) = [values for key, values in result.slicing_metrics if not key]
    values: Mapping[str, Any] = metrics[""][""]
    return {name: value["doubleValue"] for name, value in values.items() if "doubleValue" in value}


def _failed(evaluation_uri: str) -> set[tuple[str, bool]]:
    """Returns the name of each metric that failed, with whether it did as a change."""
    result = tfma.load_validation_result(evaluation_uri)
    return {
        (failure.metric_key.name, failure.metric_key.is_diff)
        for one in result.metric_validations_per_slice
        for failure in one.failures
    }
