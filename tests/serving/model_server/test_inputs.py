import types

import numpy as np
import pytest

from emotion_faces.model_server import image_guard, inputs, status
from emotion_faces.protos import types_pb2

LIMITS = image_guard.ImageLimits()


def signature_of(alias):
    spec = types.SimpleNamespace(dtype=types_pb2.DT_FLOAT, shape=(None, 48, 48, 1), name=alias)
    return types.SimpleNamespace(key=alias, inputs={alias: spec}, batched=True, defaults={})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_refused(value):
    pixels = np.zeros((2, 48, 48, 1), np.float32)
    inputs.check_arrays(signature_of("pixels"), {"pixels": pixels}, LIMITS)
    pixels[1, 7, 7, 0] = value
    with pytest.raises(status.StatusError, match="input pixels holds NaN or infinite values"):
        inputs.check_arrays(signature_of("pixels"), {"pixels": pixels}, LIMITS)
    # Other models' inputs may be anything.
    inputs.check_arrays(signature_of("x"), {"x": pixels}, LIMITS)
