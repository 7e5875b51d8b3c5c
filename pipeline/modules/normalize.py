"""What is done to a picture's light before the network sees it: one function for training and serving.

It is not part of the transform graph, since a training changes pictures at random before it: a picture
that is darkened and then equalised is what the served model gets, one that is darkened after it is not.
"""

import tensorflow as tf

_LEVELS = 256
_DEVIATION = 0.25
"""Standard deviation of a standardised picture: two of them reach from its mean to black and white."""


def normalize(pixels: tf.Tensor, method: str) -> tf.Tensor:
    """Brings the light of each picture to one scale.

    Args:
      pixels: `[N, H, W, 1]` float32 in [0, 1].
      method: `none`, `equalize` or `standardize`.

    Returns:
      A batch of the same shape and range.

    Raises:
      ValueError: There is no such method.
    """
    if method == "none":
        return pixels
    if method == "equalize":
        return equalize(pixels)
    if method == "standardize":
        return standardize(pixels)
    raise ValueError(f"{method!r} is none of the methods: none, equalize, standardize")


def equalize(pixels: tf.Tensor) -> tf.Tensor:
    """Equalises the histogram of each picture over its 256 levels, as OpenCV's `equalizeHist` does.

    A picture of one level alone stays as it is. The order of the levels is all that is left of them,
    so that neither brightness nor contrast nor gamma matters.

    Args:
      pixels: `[N, H, W, 1]` float32 in [0, 1]; they are rounded to 256 levels first.

    Returns:
      A batch of the same shape, of multiples of 1/255.
    """
    shape = tf.shape(pixels)
    levels = tf.cast(tf.round(tf.clip_by_value(pixels, 0.0, 1.0) * (_LEVELS - 1)), tf.int32)
    levels = tf.reshape(levels, [shape[0], shape[1] * shape[2]])
    counts = tf.math.bincount(levels, minlength=_LEVELS, maxlength=_LEVELS, axis=-1)
    at_most = tf.cast(tf.cumsum(counts, axis=1), tf.float32)
    total = tf.cast(shape[1] * shape[2], tf.float32)
    # The pixels of the lowest level that is there become black.
    lowest = tf.reduce_min(tf.where(at_most > 0, at_most, total), axis=1, keepdims=True)
    spread = tf.round((at_most - lowest) / tf.maximum(total - lowest, 1.0) * (_LEVELS - 1))
    as_it_is = tf.range(_LEVELS, dtype=tf.float32)[tf.newaxis]
    table = tf.where(lowest < total, spread, as_it_is) / (_LEVELS - 1)
    result = tf.gather(table, levels, batch_dims=1)
    return tf.ensure_shape(tf.reshape(result, shape), pixels.shape)


def standardize(pixels: tf.Tensor) -> tf.Tensor:
    """Brings each picture to a mean of 0.5 and a standard deviation of 0.25, cut off at 0 and 1.

    Brightness and contrast do not matter after it; gamma does. A picture of one level becomes gray.

    Args:
      pixels: `[N, H, W, 1]` float32 in [0, 1].
    """
    mean, variance = tf.nn.moments(pixels, axes=[1, 2, 3], keepdims=True)
    scale = _DEVIATION * tf.math.rsqrt(tf.maximum(variance, 1e-6))
    return tf.clip_by_value(0.5 + (pixels - mean) * scale, 0.0, 1.0)
