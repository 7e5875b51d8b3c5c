import math

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from emotion_pipeline.components.model_metrics import MacroF1
from emotion_pipeline.components.scores import macro_f1
from tests.components.example_artifacts import BEAM_ARGS


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # F1 is 2/3 and 4/5.
        ({(0, 0): 1, (0, 1): 1, (1, 1): 2}, 11 / 15),
        ({(0, 0): 3, (1, 1): 1}, 1.0),
        ({(0, 1): 3, (1, 0): 1}, 0.0),
        # Class 2 is only ever predicted: it counts, with F1 0.
        ({(0, 0): 1, (1, 2): 1}, 1 / 3),
        ({(0, 0): 1, (2, 2): 0}, 1.0),
    ],
)
def test_macro_f1(counts, expected):
    assert macro_f1(counts) == pytest.approx(expected)


def test_macro_f1_of_nothing_is_no_number():
    assert math.isnan(macro_f1({}))


def test_counts_the_top_class_in_tfma():
    """The first worked example, with top scores that lie below one half."""
    extracts = [
        {"labels": np.array([label]), "predictions": np.array(scores), "example_weights": None}
        for label, scores in [
            (0, [0.4, 0.3, 0.3]),
            (0, [0.3, 0.4, 0.3]),
            (1, [0.3, 0.4, 0.3]),
            (1, [0.1, 0.8, 0.1]),
        ]
    ]
    *matrices, derived = MacroF1().computations(eval_config=config_pb2.EvalConfig())
    (matrix,) = [one for one in matrices if one.combiner is not None]
    (derived_matrix,) = [one for one in matrices if one.combiner is None] or [None]

    def check(results):
        (metrics,) = results
        if derived_matrix is not None:
            metrics = {**metrics, **derived_matrix.result(metrics)}
        (value,) = derived.result(metrics).values()
        assert value == pytest.approx(11 / 15)

    with beam.Pipeline(argv=BEAM_ARGS) as pipeline:
        results = (
            pipeline
            | beam.Create(extracts)
            | beam.Map(metric_util.to_standard_metric_inputs)
            | beam.CombineGlobally(matrix.combiner)
        )
        assert_that(results, check)
    assert derived.keys == [metric_types.MetricKey(name="macro_f1", example_weighted=False)]
