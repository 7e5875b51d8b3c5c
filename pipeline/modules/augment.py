"""Random changes to a batch of training images, drawn from a seed."""

import math

import tensorflow as tf

from emotion_pipeline.components.constants import IMAGE_SIZE_PX
from emotion_pipeline.modules.normalize import equalize
from emotion_pipeline.train_config import TrainConfig

_ERASED_AREA = (0.02, 0.25)
_ERASED_ASPECT = 2.0
"""Least and largest share of a picture that is covered, and how long a side is to the other at most; of
arXiv:1708.04896, whose 0.4 and 3.3 leave little of so small a face."""


def augment(pixels: tf.Tensor, config: TrainConfig, seed: tf.Tensor) -> tf.Tensor:
    """Changes each image of a batch at random, as far as the config allows.

    Args:
      pixels: `[N, 48, 48, 1]` float32 in [0, 1].
      config: The ranges; where all are zero the batch comes back as it is.
      seed: `[2]` int32; the same seed gives the same result.

    Returns:
      A batch of the same shape and range.
    """
    seeds = tf.random.split(seed, 16)
    count = tf.shape(pixels)[0]

    def uniform(index: int, limit: float) -> tf.Tensor:
        return tf.random.stateless_uniform([count], seeds[index], -limit, limit)

    def share(index: int, of_all: float) -> tf.Tensor:
        return (tf.random.stateless_uniform([count], seeds[index]) < of_all)[:, None, None, None]

    if config.rotation_degrees or config.zoom or config.shift_px:
        pixels = _affine(
            pixels,
            angle=uniform(0, math.radians(config.rotation_degrees)),
            scale=1.0 + uniform(1, config.zoom),
            shift_x=uniform(2, config.shift_px),
            shift_y=uniform(3, config.shift_px),
        )
    if config.flip:
        mirrored = tf.reverse(pixels, axis=[2])
        pixels = tf.where(uniform(4, 1.0)[:, None, None, None] < 0, mirrored, pixels)
    if config.blur_share:
        is_small = share(6, config.blur_share)
        size = tf.random.stateless_uniform(
            [], seeds[7], config.blur_min_px, IMAGE_SIZE_PX, dtype=tf.int32
        )
        pixels = tf.where(is_small, enlarged(pixels, size), pixels)
    if config.gamma:
        pixels = tf.pow(pixels, tf.pow(2.0, uniform(8, config.gamma))[:, None, None, None])
    if config.contrast:
        mean = tf.reduce_mean(pixels, axis=[1, 2, 3], keepdims=True)
        scale = 1.0 + uniform(9, config.contrast)[:, None, None, None]
        pixels = tf.clip_by_value(mean + (pixels - mean) * scale, 0.0, 1.0)
    if config.brightness:
        change = uniform(5, config.brightness)[:, None, None, None]
        pixels = tf.clip_by_value(pixels + change, 0.0, 1.0)
    if config.equalize_share:
        pixels = tf.where(share(10, config.equalize_share), equalize(pixels), pixels)
    if config.jpeg_share:
        quality = tf.random.stateless_uniform(
            [count], seeds[12], config.jpeg_min_quality, 101, dtype=tf.int32
        )
        chosen = tf.where(share(11, config.jpeg_share)[:, 0, 0, 0])
        pixels = tf.tensor_scatter_nd_update(
            pixels,
            chosen,
            compressed(tf.gather_nd(pixels, chosen), tf.gather_nd(quality, chosen)),
        )
    if config.erase_share:
        pixels = tf.where(
            share(13, config.erase_share) & _rectangles(count, seeds[14]),
            tf.random.stateless_uniform(tf.shape(pixels), seeds[15]),
            pixels,
        )
    return pixels


def enlarged(pixels: tf.Tensor, size_px: tf.Tensor) -> tf.Tensor:
    """Returns pictures as if seen at `size_px` by `size_px` and enlarged to what they were.

    Args:
      pixels: `[N, S, S, 1]` float32 in [0, 1].
      size_px: A scalar int, at most S.
    """
    small = tf.image.resize(pixels, [size_px, size_px], antialias=True)
    return tf.ensure_shape(tf.image.resize(small, tf.shape(pixels)[1:3]), pixels.shape)


def compressed(pixels: tf.Tensor, quality: tf.Tensor) -> tf.Tensor:
    """Returns pictures as JPEG leaves them.

    Args:
      pixels: `[N, S, S, 1]` float32 in [0, 1].
      quality: `[N]` int32, from 1 to 100.
    """

    def one(arguments):
        picture, how_good = arguments
        as_bytes = tf.cast(tf.round(picture * 255.0), tf.uint8)
        encoded = tf.raw_ops.EncodeJpegVariableQuality(images=as_bytes, quality=how_good)
        return tf.cast(tf.io.decode_jpeg(encoded, channels=1), tf.float32) / 255.0

    return tf.map_fn(
        one, (pixels, quality), fn_output_signature=tf.TensorSpec(pixels.shape[1:], tf.float32)
    )


def _rectangles(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns `[N, 48, 48, 1]` bool, true in one rectangle a picture that lies wholly within it."""
    seeds = tf.random.split(seed, 4)
    area = tf.random.stateless_uniform([count], seeds[0], *_ERASED_AREA)
    aspect = tf.pow(_ERASED_ASPECT, tf.random.stateless_uniform([count], seeds[1], -1.0, 1.0))
    places = tf.range(IMAGE_SIZE_PX, dtype=tf.float32)[None]

    def stripe(share: tf.Tensor, place_seed: tf.Tensor) -> tf.Tensor:
        length = tf.round(share * IMAGE_SIZE_PX)
        start = tf.random.stateless_uniform([count], place_seed) * (IMAGE_SIZE_PX - length)
        start = tf.floor(start)[:, None]
        return (places >= start) & (places < start + length[:, None])

    rows = stripe(tf.sqrt(area * aspect), seeds[2])
    columns = stripe(tf.sqrt(area / aspect), seeds[3])
    return (rows[:, :, None] & columns[:, None, :])[..., None]


def mix(
    pixels: tf.Tensor, one_hot: tf.Tensor, alpha: float, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Lays a little of another image of the batch over each, and of its label: mixup, arXiv:1710.09412.

    Args:
      pixels: `[N, 48, 48, 1]` float32.
      one_hot: `[N, C]` float32.
      alpha: The shares are of the distribution Beta(alpha, alpha); an image keeps the larger of the
        two, so that its class stays the first of its label.
      seed: `[2]` int32; the same seed gives the same result.

    Returns:
      Mixed pixels and labels, of the same shapes.
    """
    seeds = tf.random.split(seed, 2)
    shape = [tf.shape(pixels)[0]]
    one, other = (tf.random.stateless_gamma(shape, part, alpha) for part in tf.unstack(seeds))
    # Of a small alpha both are often as good as zero, too near for float32 to say which is larger.
    sum_of_both = one + other
    share = tf.where(sum_of_both > 1e-30, tf.minimum(one, other) / sum_of_both, 0.0)
    over_pixels = share[:, None, None, None]
    over_labels = share[:, None]
    return (
        pixels + over_pixels * (tf.roll(pixels, 1, axis=0) - pixels),
        one_hot + over_labels * (tf.roll(one_hot, 1, axis=0) - one_hot),
    )


def _affine(pixels, angle, scale, shift_x, shift_y):
    """Rotates and scales about the centre, then shifts; the border is the nearest pixel's value.

    Each row of the transforms maps an output point to the input point it is read from, as
    ImageProjectiveTransformV3 wants it.
    """
    size = tf.shape(pixels)[1:3]
    centre_y = (tf.cast(size[0], tf.float32) - 1.0) / 2.0
    centre_x = (tf.cast(size[1], tf.float32) - 1.0) / 2.0
    cos, sin = tf.cos(angle) / scale, tf.sin(angle) / scale
    from_x = centre_x - cos * (centre_x + shift_x) + sin * (centre_y + shift_y)
    from_y = centre_y - sin * (centre_x + shift_x) - cos * (centre_y + shift_y)
    zero = tf.zeros_like(angle)
    transforms = tf.stack([cos, -sin, from_x, sin, cos, from_y, zero, zero], axis=1)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=transforms,
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    # Which it leaves open, and a stack of no pictures, as of those to be compressed, must know.
    return tf.ensure_shape(moved, pixels.shape)
