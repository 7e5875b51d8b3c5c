"""An encoded picture as the network takes it, without TensorFlow: what a served model's decoder gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emotion_faces.faces.crop import FACE_SIZE_PX
from emotion_faces.faces.pictures import open_picture, told

if TYPE_CHECKING:
    from PIL import Image

_LUMA = (9797, 19234, 3737)
"""Of 32768: BT.601's weights as libpng holds them, which TensorFlow has turn colours to gray."""


def gray_square(data: bytes, name: str = "the picture") -> np.ndarray:
    """Decodes a picture as it is stored.

    Args:
      data: A gray or RGB JPEG, or a PNG, of any size; another size than 48 x 48 is resampled with antialiasing.
      name: What error messages call it.

    Returns:
      float32 [48, 48, 1] in [0, 1], whole levels of 255.

    Raises:
      UserError: The bytes are no picture that can be read.
    """
    from PIL import Image

    with open_picture(data, name) as image, told(name):
        gray = _gray(image)
    if gray.shape != (FACE_SIZE_PX, FACE_SIZE_PX):
        # In float32, or Pillow would round to whole levels after the rows and again after the columns.
        whole = Image.fromarray(gray.astype(np.float32))
        size = (FACE_SIZE_PX, FACE_SIZE_PX)
        gray = np.rint(np.asarray(whole.resize(size, Image.Resampling.BILINEAR)))
    return (gray.astype(np.float32) / np.float32(255))[:, :, np.newaxis]


def _gray(image: Image.Image) -> np.ndarray:
    """Returns uint8 [height, width]; transparency is left out, as TensorFlow leaves it."""
    if image.format in ("JPEG", "MPO"):
        image.draft("L", None)  # the plane of luma as it is stored
        return np.asarray(image.convert("L"))
    if image.mode.startswith("I"):  # 16 bits
        return (np.asarray(image) >> 8).astype(np.uint8)
    if image.mode in ("1", "L", "LA"):
        return np.asarray(image.convert("L") if image.mode == "1" else image.getchannel(0))
    red, green, blue = (np.asarray(image.convert("RGB"), np.uint32) * _LUMA).transpose(2, 0, 1)
    return ((red + green + blue) >> 15).astype(np.uint8)
