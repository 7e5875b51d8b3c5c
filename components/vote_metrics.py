"""The accuracy against people's votes, as TFMA measures it."""

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util

from emotion_pipeline.components.features import VOTES_KEY, VOTES_OTHER_KEY
from emotion_pipeline.components.vote_figures import NO_CHOICE, agreed, most_voted

VOTES_NAME = "votes"
FIGURES = ("most", "agreed")
"""Of the images where one class has most votes, and where at least six in ten are for it."""


def metric_names(figure: str) -> tuple[str, str]:
    """Returns the names of the metrics of a figure, `most` or `agreed`: images and accuracy."""
    return f"{VOTES_NAME}_{figure}_images", f"{VOTES_NAME}_{figure}_accuracy"


class VotesAccuracy(metric_types.Metric):
    """How often the class with the top score is the one that people voted for.

    Four metrics: the accuracy where one class has most votes, and where at least six in ten are for
    it, as `vote_figures` says, and of how many images each is; no number where there are none.
    """

    def __init__(self, name: str = VOTES_NAME):
        """Takes the name, which the four names begin with."""
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


metric_types.register_metric(VotesAccuracy)


def _computations(
    name: str = VOTES_NAME,
    eval_config=None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    keys = [
        metric_types.MetricKey(
            name=one,
            model_name=model_name,
            output_name=output_name,
            example_weighted=example_weighted,
        )
        for figure in FIGURES
        for one in metric_names(figure)
    ]
    return [
        metric_types.MetricComputation(
            keys=keys,
            preprocessors=[
                metric_types.FeaturePreprocessor(feature_keys=[VOTES_KEY, VOTES_OTHER_KEY])
            ],
            combiner=_Combiner(keys, eval_config, model_name, output_name),
        )
    ]


class _Combiner(beam.CombineFn):
    """Counts, for both figures, the images with a choice and those that are answered by it."""

    def __init__(self, keys, eval_config, model_name: str, output_name: str):
        self._keys = keys
        self._arguments = {
            "eval_config": eval_config,
            "model_name": model_name,
            "output_name": output_name,
            "flatten": False,
        }

    def create_accumulator(self) -> np.ndarray:
        return np.zeros((len(FIGURES), 2), np.int64)

    def add_input(self, accumulator: np.ndarray, element: Any) -> np.ndarray:
        votes = _votes_of(element.features)
        if votes is None:
            return accumulator
        for _, scores, _ in metric_util.to_label_prediction_example_weight(
            element, **self._arguments
        ):
            answer = int(np.argmax(scores))
            for row, choice in enumerate((most_voted(votes)[0], agreed(votes)[0])):
                accumulator[row] += [choice != NO_CHOICE, choice == answer]
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[np.ndarray]) -> np.ndarray:
        return np.sum(list(accumulators), axis=0)

    def extract_output(self, accumulator: np.ndarray) -> dict[metric_types.MetricKey, float]:
        values = [
            value
            for images, hits in accumulator.tolist()
            for value in (float(images), hits / images if images else float("nan"))
        ]
        return dict(zip(self._keys, values, strict=True))


def _votes_of(features: dict[str, Any] | None) -> np.ndarray | None:
    """Returns the votes of one image, `[1, C + 1]`; None where it has none."""
    found = features or {}
    values = [np.ravel(found[key]) for key in (VOTES_KEY, VOTES_OTHER_KEY) if _is_there(found, key)]
    return np.concatenate(values)[np.newaxis] if len(values) == 2 else None


def _is_there(features: dict[str, Any], key: str) -> bool:
    return features.get(key) is not None and np.size(features[key]) > 0
