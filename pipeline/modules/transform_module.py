"""What Transform runs: decode, bring to size, scale to [0, 1], label to index."""

import tensorflow as tf

from emotion_pipeline.components.constants import IMAGE_SIZE_PX
from emotion_pipeline.components.features import IMAGE_KEY, LABEL_KEY, transformed_key


def decode_image(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes one image (JPEG, PNG, GIF or BMP) to gray pixels.

    Args:
      encoded: A scalar string, the bytes of one image.

    Returns:
      `[height, width, 1]` float32 in [0, 1].

    Raises:
      tf.errors.InvalidArgumentError: The bytes are not an image.
    """
    # This op decodes every format that TensorFlow knows, and takes the luma plane of a JPEG as it is
    # stored; with the accurate method the pixels are OpenCV's to the bit.
    gray = tf.io.decode_jpeg(encoded, channels=1, dct_method="INTEGER_ACCURATE")
    return tf.cast(gray, tf.float32) / 255.0


def decode_any_size(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes images of any size to the network's input; training and serving share it.

    Args:
      encoded: `[N]` string, JPEG or PNG, gray or colour.

    Returns:
      `[N, 48, 48, 1]` float32 in [0, 1], whole levels of 255; an image of that size is not resampled.

    Raises:
      tf.errors.InvalidArgumentError: The bytes are not an image.
    """

    def decode(one: tf.Tensor) -> tf.Tensor:
        pixels = decode_image(one)
        size = [IMAGE_SIZE_PX, IMAGE_SIZE_PX]
        fits = tf.reduce_all(tf.shape(pixels)[:2] == size)
        # Antialiasing, or a large photograph would be sampled at 48 of its many pixels a row.
        # In whole levels, as training holds pixels as bytes.
        pixels = tf.cond(
            fits,
            lambda: pixels,
            lambda: tf.round(tf.image.resize(pixels, size, antialias=True) * 255.0) / 255.0,
        )
        return tf.ensure_shape(pixels, [IMAGE_SIZE_PX, IMAGE_SIZE_PX, 1])

    return tf.map_fn(
        decode,
        encoded,
        fn_output_signature=tf.TensorSpec([IMAGE_SIZE_PX, IMAGE_SIZE_PX, 1], tf.float32),
    )


def label_indices(labels: tf.Tensor, class_names: list[str]) -> tf.Tensor:
    """Turns class names into indices.

    Args:
      labels: `[N]` string.
      class_names: The names in index order.

    Returns:
      `[N]` int64, and -1 for a name that is not among them.
    """
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(class_names), tf.range(len(class_names), dtype=tf.int64)
        ),
        default_value=-1,
    )
    return table.lookup(labels)


def preprocessing_fn(inputs: dict[str, tf.Tensor], custom_config: dict) -> dict[str, tf.Tensor]:
    """Transforms a batch of raw features.

    Args:
      inputs: `image` and `label`, each `[N, 1]` or `[N]` string; other features are left alone.
      custom_config: `labels`, the class names in index order.

    Returns:
      `image_xf` `[N, 48, 48, 1]` float32 in [0, 1] and `label_xf` `[N, 1]` int64.
    """
    encoded = tf.reshape(inputs[IMAGE_KEY], [-1])
    labels = tf.reshape(inputs[LABEL_KEY], [-1])
    indices = label_indices(labels, list(custom_config["labels"]))
    return {
        transformed_key(IMAGE_KEY): decode_any_size(encoded),
        transformed_key(LABEL_KEY): indices[:, tf.newaxis],
    }
