"""Statistics of made-up pictures, as StatisticsGen would write them."""

import numpy as np
import pandas as pd
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

from emotion_pipeline.components.drift_validator.histograms import QUANTILES


def statistics_of(count: int = 2000, seed: int = 0, **columns) -> DatasetFeatureStatisticsList:
    """Returns the statistics of pictures whose numbers are drawn, but for the given columns."""
    rng = np.random.default_rng(seed)
    frame = {
        "label": rng.choice(["happy", "sad", "fear"], count, p=[0.5, 0.3, 0.2]),
        "brightness": rng.normal(0.5, 0.1, count).astype(np.float32),
    }
    options = tfdv.StatsOptions(num_quantiles_histogram_buckets=QUANTILES)
    return tfdv.generate_statistics_from_dataframe(
        pd.DataFrame({**frame, **columns}), options, n_jobs=1
    )


def comparing_schema() -> schema_pb2.Schema:
    """Returns a schema that compares label and brightness."""
    schema = schema_pb2.Schema()
    label = schema.feature.add(name="label", type=schema_pb2.BYTES)
    brightness = schema.feature.add(name="brightness", type=schema_pb2.FLOAT)
    for comparator in ("skew_comparator", "drift_comparator"):
        getattr(label, comparator).infinity_norm.threshold = 0.04
        getattr(brightness, comparator).jensen_shannon_divergence.threshold = 0.02
    return schema
