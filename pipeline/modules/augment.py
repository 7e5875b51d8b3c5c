"""Random changes to a batch of training images, drawn from a seed."""

import math

import tensorflow as tf

from emotion_pipeline.configs import TrainConfig


def augment(pixels: tf.Tensor, config: TrainConfig, seed: tf.Tensor) -> tf.Tensor:
    """Changes each image of a batch at random, as far as the config allows.

    Args:
      pixels: `[N, 48, 48, 1]` float32 in [0, 1].
      config: The ranges; where all are zero the batch comes back as it is.
      seed: `[2]` int32; the same seed gives the same result.

    Returns:
      A batch of the same shape and range.
    """
    seeds = tf.random.split(seed, 6)
    count = tf.shape(pixels)[0]

    def uniform(index: int, limit: float) -> tf.Tensor:
        return tf.random.stateless_uniform([count], seeds[index], -limit, limit)

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
    if config.brightness:
        change = uniform(5, config.brightness)[:, None, None, None]
        pixels = tf.clip_by_value(pixels + change, 0.0, 1.0)
    return pixels


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
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=transforms,
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
