"""The interface of RunReport."""

import json
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from emotion_pipeline.components.artifacts import (
    DataDrift,
    HtmlReport,
    ImageFindings,
    ImageManifest,
)
from emotion_pipeline.components.fingerprint import step_fingerprint
from emotion_pipeline.components.run_report import executor
from emotion_pipeline.components.wiring import check_channel

_INPUT_TYPES = {
    "manifest": ImageManifest,
    "findings": ImageFindings,
    "statistics": standard_artifacts.ExampleStatistics,
    "drift": DataDrift,
    "balanced_examples": standard_artifacts.Examples,
    "model": standard_artifacts.Model,
    "model_run": standard_artifacts.ModelRun,
    "evaluation": standard_artifacts.ModelEvaluation,
    "blessing": standard_artifacts.ModelBlessing,
    "pushed_model": standard_artifacts.PushedModel,
}


class RunReportSpec(ComponentSpec):
    """Inputs, output and properties of RunReport."""

    PARAMETERS = {
        "settings": ExecutionParameter(type=str),
        "seed": ExecutionParameter(type=int),
        "metadata_path": ExecutionParameter(type=str),
        "recipe": ExecutionParameter(type=str),
        "run": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {key: ChannelParameter(type=one) for key, one in _INPUT_TYPES.items()}
    OUTPUTS = {"report": ChannelParameter(type=HtmlReport)}


class RunReport(base_component.BaseComponent):
    """Writes the page of a run whose model was evaluated, blessed or not.

    It comes after AnomalyGate, so its page has no anomalies to tell.
    What an evaluation's sums no longer have, calibration, intervals and the pictures that the model is
    wrong about, it takes from the answers that ComparingEvaluator keeps; of an evaluation without them
    the model is run over the split once more.
    """

    SPEC_CLASS = RunReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        manifest: types.BaseChannel,
        findings: types.BaseChannel,
        statistics: types.BaseChannel,
        drift: types.BaseChannel,
        balanced_examples: types.BaseChannel,
        model: types.BaseChannel,
        model_run: types.BaseChannel,
        evaluation: types.BaseChannel,
        blessing: types.BaseChannel,
        pushed_model: types.BaseChannel,
        settings: Mapping[str, Any],
        seed: int,
        metadata_path: str = "",
        recipe: Mapping[str, Any] | None = None,
        run: str = "",
    ):
        """Wires the component.

        Args:
          manifest: A channel of ImageManifest, the one that the examples were made from.
          findings: A channel of ImageFindings.
          statistics: A channel of ExampleStatistics.
          drift: A channel of DataDrift.
          balanced_examples: A channel of Examples, as ClassBalancer writes them.
          model: A channel of Model.
          model_run: A channel of ModelRun, as this project's Trainer writes it.
          evaluation: A channel of ModelEvaluation.
          blessing: A channel of ModelBlessing.
          pushed_model: A channel of PushedModel.
          settings: The configuration of the run, plain and nested, to be shown.
          seed: Of the bootstrap.
          metadata_path: The SQLite file of ML Metadata, which has the components' times; empty for
            a page without them.
          recipe: The recipe that the settings are nearest to: `name`, and `settings`, which is the
            configuration it makes, plain and nested.
          run: Which run this is, `record.RunFacts` as JSON; the runner gives it right before the
            launch, so that no run takes over another's page. Empty where nobody numbers runs.

        Raises:
          ValueError: A channel is of another type.
        """
        channels = {
            "manifest": manifest,
            "findings": findings,
            "statistics": statistics,
            "drift": drift,
            "balanced_examples": balanced_examples,
            "model": model,
            "model_run": model_run,
            "evaluation": evaluation,
            "blessing": blessing,
            "pushed_model": pushed_model,
        }
        for key, channel in channels.items():
            expected = _INPUT_TYPES[key]
            check_channel(key, channel, expected)
        super().__init__(
            RunReportSpec(
                **channels,
                report=types.Channel(type=HtmlReport),
                settings=json.dumps(settings),
                seed=seed,
                metadata_path=metadata_path,
                recipe=json.dumps(recipe or {}),
                run=run,
                code_fingerprint=step_fingerprint("emotion_pipeline.components.run_report"),
            )
        )
