import math

import apache_beam as beam
import numpy as np
from apache_beam.testing.util import assert_that
from tensorflow_model_analysis.metrics import metric_util
from tensorflow_model_analysis.proto import config_pb2

from emotion_pipeline.components.vote_metrics import VotesAccuracy
from tests.components.example_artifacts import BEAM_ARGS

# Votes for three classes, for none of them, and the model's answer.
IMAGES = [
    ([6, 4, 0], 0, 0),
    ([6, 4, 0], 0, 1),
    ([0, 5, 3], 2, 1),
    ([0, 5, 5], 0, 1),
    ([0, 1, 1], 8, 1),
    ([], None, 2),
]


def extract(votes, other, answer):
    features = {"label": np.array([b"sad"])}
    if other is not None:
        features |= {
            "votes": np.array(votes, np.float32),
            "votes_other": np.array([other], np.float32),
        }
    return {
        "labels": np.array([0]),
        "predictions": np.eye(3)[answer],
        "example_weights": None,
        "features": features,
    }


def run(extracts, check):
    (computation,) = VotesAccuracy().computations(eval_config=config_pb2.EvalConfig())
    (preprocessor,) = computation.preprocessors
    with beam.Pipeline(argv=BEAM_ARGS) as pipeline:
        results = (
            pipeline
            | beam.Create(extracts)
            | beam.FlatMap(preprocessor.process)
            | beam.Map(metric_util.to_standard_metric_inputs)
            | beam.CombineGlobally(computation.combiner)
            | beam.Map(lambda values: {key.name: value for key, value in values.items()})
        )
        assert_that(results, check)


def test_counts_the_images_with_a_choice_and_the_answers_that_are_it():
    def check(results):
        assert results == [
            {
                "votes_most_images": 3.0,
                "votes_most_accuracy": 2 / 3,
                "votes_agreed_images": 2.0,
                "votes_agreed_accuracy": 0.5,
            }
        ]

    run([extract(*image) for image in IMAGES], check)


def test_without_votes_there_is_no_accuracy():
    def check(results):
        (values,) = results
        assert (values["votes_most_images"], values["votes_agreed_images"]) == (0.0, 0.0)
        assert math.isnan(values["votes_most_accuracy"])
        assert math.isnan(values["votes_agreed_accuracy"])

    run([extract([], None, 0), {**extract([], None, 1), "features": {"votes": None}}], check)
