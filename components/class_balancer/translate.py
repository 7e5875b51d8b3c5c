"""Translated copies of an Example."""

import cv2
import numpy as np
import tensorflow as tf

from emotion_pipeline.components import features
from emotion_pipeline.components.constants import IMAGE_SIZE_PX

_PNG_FLAGS = (cv2.IMWRITE_PNG_COMPRESSION, 0)
"""Photographs of 48x48 pixels lose a seventh of their bytes to compression, for twice the time."""


def translate(pixels: np.ndarray, x_px: int, y_px: int) -> np.ndarray:
    """Moves a picture by whole pixels and fills the freed border with its edge.

    Args:
      pixels: `[height, width]` or `[height, width, channels]`, any dtype.
      x_px: To the right; negative to the left.
      y_px: Downwards; negative upwards.

    Returns:
      An array of the same shape and dtype. `translate([[1, 2, 3]], 1, 0)` is `[[1, 1, 2]]`.
    """
    height, width = pixels.shape[:2]
    rows, columns = np.arange(height) - y_px, np.arange(width) - x_px
    return pixels.take(rows, 0, mode="clip").take(columns, 1, mode="clip")


def translated_copies(example: tf.train.Example, shifts: list[tuple[int, int]]) -> list[bytes]:
    """Makes the copies of one Example, decoding its image once.

    Args:
      example: A raw Example; `image` holds any format that OpenCV reads. It becomes the last copy:
        to copy the message for each would take as long as to encode its picture.
      shifts: The (x, y) shift of each copy, in pixels of the network's 48; a picture of another size
        is moved by the same share of its width and height.

    Returns:
      A serialised Example for each shift: the source's features, with `image` a PNG, so that the
      pixels are the moved source's exactly, its size in `size_bytes`, and the shift and the number
      of the copy, from 1, beside it. The image-quality numbers are the source's.

    Raises:
      ValueError: The image cannot be decoded.
    """
    feature = example.features.feature
    encoded = np.frombuffer(feature[features.IMAGE_KEY].bytes_list.value[0], np.uint8)
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        path = feature[features.PATH_KEY].bytes_list.value[0].decode()
        raise ValueError(f"{path}: the image of this Example cannot be decoded")
    height, width = pixels.shape[:2]
    copies = []
    for index, (x_px, y_px) in enumerate(shifts, start=1):
        moved = translate(
            pixels, round(x_px * width / IMAGE_SIZE_PX), round(y_px * height / IMAGE_SIZE_PX)
        )
        png = cv2.imencode(".png", moved, _PNG_FLAGS)[1].tobytes()
        feature[features.IMAGE_KEY].bytes_list.value[0] = png
        feature[features.SIZE_BYTES_KEY].int64_list.value[0] = len(png)
        copies.append(mark_copy(example, index, x_px, y_px))
    return copies


def mark_copy(example: tf.train.Example, copy_index: int, x_px: int, y_px: int) -> bytes:
    """Returns the Example, serialised, with its number among copies (0: none) and its shift."""
    feature = example.features.feature
    feature[features.COPY_INDEX_KEY].int64_list.value[:] = [copy_index]
    feature[features.SHIFT_X_KEY].int64_list.value[:] = [x_px]
    feature[features.SHIFT_Y_KEY].int64_list.value[:] = [y_px]
    return example.SerializeToString(deterministic=True)
