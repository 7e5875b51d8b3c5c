"""Against TensorFlow's own decoder, which the served model has in it."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from emotion_faces.errors import UserError
from emotion_faces.gray_square import gray_square
from emotion_pipeline.modules.transform_module import decode_any_size

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(48, 48), (20, 20), (80, 100), (640, 480)])
def test_it_is_the_served_models_decoder(kind, mode, size):
    check(picture(mode, size), kind)


@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGBA", "I;16"])
def test_other_kinds_of_png(mode):
    check(picture(mode, (48, 48)), "PNG")


def test_damaged_bytes_are_refused():
    encoded = io.BytesIO()
    picture("RGB", (64, 64)).save(encoded, "PNG")
    with pytest.raises(UserError, match="face is damaged or cut off"):
        gray_square(encoded.getvalue()[:2000], "face")


def picture(mode, size):
    rng = np.random.default_rng(2)
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 2**16, size[::-1], dtype=np.uint16))
    drawn = Image.fromarray(rng.integers(0, 256, (*size[::-1], 4), dtype=np.uint8))
    return drawn.convert("RGB").quantize(32) if mode == "P" else drawn.convert(mode)


def check(image, kind):
    encoded = io.BytesIO()
    image.save(encoded, kind)
    found = gray_square(encoded.getvalue())
    assert (found.shape, found.dtype) == ((48, 48, 1), np.float32)
    expected = decode_any_size(tf.constant([encoded.getvalue()])).numpy()[0]
    # Sums in another order: a value halfway between two levels may be rounded to either.
    assert np.abs(found - expected).max() <= 1.001 / 255
    assert (np.abs(found - expected) > 1e-6).mean() < 0.02
