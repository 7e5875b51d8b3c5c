"""Where a benchmark's MODEL is: a run's, a pushed one, or one that comes with the project."""

import contextlib
import pathlib
import tempfile
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.run_outcome import latest_components

BATCH = 256


@contextlib.contextmanager
def model_dir(name: str | pathlib.Path) -> Iterator[str]:
    """Gives the folder of a SavedModel.

    Args:
      name: The root of a finished `emotion run`, whose Trainer's model is taken; a folder of pushed
        versions, or a version; or a model that comes with the project, `specified` for one.
    """
    folder = pathlib.Path(name)
    if (folder / "metadata.sqlite").is_file():
        from tfx.utils import path_utils

        from emotion_pipeline.components.records.run_records import output

        model = output(latest_components(folder), "Trainer", "model").uri
        yield path_utils.serving_model_path(model)
    elif folder.is_dir():
        from emotion_faces.local_server import newest_version

        yield str(newest_version(folder))
    else:
        from emotion_pipeline.shipped.export import export_model
        from emotion_pipeline.shipped.models import find_shipped

        with tempfile.TemporaryDirectory() as scratch:
            yield str(export_model(pathlib.Path(scratch), find_shipped(str(name))))


def answerer(folder: str) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what gives a SavedModel's `[N, C]` probabilities for `[N, 48, 48, 1]` uint8 pixels."""
    import tensorflow as tf

    model = tf.saved_model.load(folder)

    def answer(pixels: np.ndarray) -> np.ndarray:
        scaled = (
            tf.constant(pixels[first : first + BATCH] / np.float32(255))
            for first in range(0, len(pixels), BATCH)
        )
        return np.concatenate(
            [model.signatures["pixels"](pixels=one)["probabilities"].numpy() for one in scaled]
        )

    return answer
