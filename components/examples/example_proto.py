"""Making a `tf.Example`, apart from what needs TFX: an engine's workers import this, and start sooner."""

from collections.abc import Mapping

import tensorflow as tf


def make_example(features: Mapping[str, bytes | str | int | float | list[float]]) -> bytes:
    """Returns a serialised `tf.Example` of scalars and lists of floats, the same bytes for the same features.

    Text is written as UTF-8.
    """
    example = tf.train.Example()
    feature = example.features.feature
    for key, value in features.items():
        if isinstance(value, str):
            feature[key].bytes_list.value.append(value.encode("utf-8"))
        elif isinstance(value, bytes):
            feature[key].bytes_list.value.append(value)
        elif isinstance(value, list):
            feature[key].float_list.value.extend(value)
        elif isinstance(value, float):
            feature[key].float_list.value.append(value)
        else:
            feature[key].int64_list.value.append(value)
    return example.SerializeToString(deterministic=True)
