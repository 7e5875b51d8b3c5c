"""The interface of ComparingEvaluator."""

from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.components import Evaluator
from tfx.dsl.components.base import executor_spec

from emotion_pipeline.components.fingerprint import step_fingerprint
from emotion_pipeline.components.model_evaluator import executor


class ComparingEvaluator(Evaluator):
    """TFX's Evaluator, on the split that judges, with a paired comparison with the model to beat.

    The split is `test` where the data has one, else `eval`. A change threshold of TFMA's compares two
    figures, so that of equally good models about every second fails; here the two models answer for
    the same pictures, and the model fails where these say that it is worse. A model to beat with other
    classes, or none, is not compared with, which `judgement.json` in the output `evaluation` tells.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        baseline_model: types.BaseChannel,
        eval_config: config_pb2.EvalConfig,
        confidence: float = 0.95,
        max_accuracy_drop: float = 0.0,
    ):
        """Wires the component.

        Args:
          examples: A channel of Examples with the split `eval`, and perhaps `test`.
          model: A channel of Model.
          baseline_model: A channel of Model, as PushedModel makes it.
          eval_config: Metrics and value thresholds.
          confidence: With which the model must be worse to fail, in (0.5, 1).
          max_accuracy_drop: How much lower its accuracy may be, in [0, 1].

        Raises:
          ValueError: A number is out of its range.
        """
        if not 0.5 < confidence < 1:
            raise ValueError(f"confidence must lie between 0.5 and 1, got {confidence}")
        if not 0 <= max_accuracy_drop <= 1:
            raise ValueError(f"max_accuracy_drop must be 0 to 1, got {max_accuracy_drop}")
        super().__init__(
            examples=examples, model=model, baseline_model=baseline_model, eval_config=eval_config
        )
        # TFX's constructor makes the spec, which has no place for them.
        self.exec_properties["confidence"] = confidence
        self.exec_properties["max_accuracy_drop"] = max_accuracy_drop
        self.exec_properties["code_fingerprint"] = step_fingerprint(
            "emotion_pipeline.components.model_evaluator",
            "emotion_pipeline.components.model_metrics",
        )
