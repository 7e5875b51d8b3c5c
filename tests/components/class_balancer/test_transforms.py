import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from emotion_pipeline.components.class_balancer.transforms import PlanCopies
from tests.components.example_artifacts import BEAM_ARGS, examples_of


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("translate", [("happy", 5, 0, 5), ("sad", 2, 1, 5), ("fear", 1, 4, 5)]),
        ("none", [("happy", 5, 0, 5), ("sad", 2, 0, 2), ("fear", 1, 0, 1)]),
    ],
)
def test_plans_each_class(method, expected):
    with beam.Pipeline(argv=BEAM_ARGS) as pipeline:
        plans = (
            pipeline
            | beam.Create(examples_of({"happy": 5, "sad": 2, "fear": 1}))
            | PlanCopies(method)
            | beam.MapTuple(
                lambda label, plan: (label, plan.count, plan.copies_per_image, plan.target)
            )
        )
        assert_that(plans, equal_to(expected))
