"""Beam transforms that count the classes, plan their copies and make them."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import tensorflow as tf

from emotion_pipeline.components import features
from emotion_pipeline.components.class_balancer.plan import (
    ClassPlan,
    image_key,
    plan_class,
    shift_of_copy,
)
from emotion_pipeline.components.class_balancer.translate import mark_copy, translated_copies


def label_and_key(serialized: bytes) -> tuple[str, bytes]:
    """Returns the label and the ordering key of a serialised Example."""
    return _label_and_key(tf.train.Example.FromString(serialized))


def _label_and_key(example: tf.train.Example) -> tuple[str, bytes]:
    def value(key: str) -> bytes:
        return example.features.feature[key].bytes_list.value[0]

    label = value(features.LABEL_KEY).decode("utf-8")
    return label, image_key(value(features.IMAGE_KEY), value(features.PATH_KEY))


def _count(label: str, keys: Iterable[bytes]) -> tuple[str, int]:
    return label, sum(1 for _ in keys)


def _plan(
    element: tuple[str, Iterable[bytes]], counts: dict[str, int], method: str
) -> tuple[str, ClassPlan]:
    label, keys = element
    count = counts[label]
    target = max(counts.values()) if method == "translate" else count
    return label, plan_class(keys, count, target)


class PlanCopies(beam.PTransform):
    """From serialised Examples to one `(label, ClassPlan)` for each class.

    Only labels and keys pass between workers, and the keys of one class meet in one place: 32 bytes of
    hash and the path for each image.
    """

    def __init__(self, method: str):
        """Takes one of `plan.METHODS`; with `none` no image gets a copy."""
        super().__init__()
        self._method = method

    def expand(self, serialized_examples):
        """Applies the transform."""
        keys = (
            serialized_examples
            | "ExtractLabelAndKey" >> beam.Map(label_and_key)
            | "GroupKeysByLabel" >> beam.GroupByKey()
        )
        counts = keys | "CountKeys" >> beam.MapTuple(_count)
        return keys | "PlanClass" >> beam.Map(
            _plan, counts=beam.pvalue.AsDict(counts), method=self._method
        )


def example_and_copies(
    serialized: bytes, plans: dict[str, ClassPlan], max_shift_px: int, seed: int
) -> Iterator[bytes]:
    """Yields an Example, then its translated copies, serialised."""
    example = tf.train.Example.FromString(serialized)
    label, key = _label_and_key(example)
    count = plans[label].copies_of(key)
    shifts = [shift_of_copy(key, index + 1, max_shift_px, seed) for index in range(count)]
    yield mark_copy(example, 0, 0, 0)
    if shifts:
        yield from translated_copies(example, shifts)
