"""Names of the features in the pipeline's `tf.Example`s."""

IMAGE_KEY = "image"
LABEL_KEY = "label"
PATH_KEY = "path"
WIDTH_KEY = "width"
HEIGHT_KEY = "height"
CHANNELS_KEY = "channels"
SIZE_BYTES_KEY = "size_bytes"
BRIGHTNESS_KEY = "brightness"
CONTRAST_KEY = "contrast"
SHARPNESS_KEY = "sharpness"
ENTROPY_KEY = "entropy"

VOTES_KEY = "votes"
"""People's votes for each class, in the order of the labels; absent for a picture without votes."""

VOTES_OTHER_KEY = "votes_other"
"""People's votes for none of the classes; absent for a picture without votes."""

SHIFT_X_KEY = "shift_x_px"
SHIFT_Y_KEY = "shift_y_px"
COPY_INDEX_KEY = "copy_index"

TRANSFORMED_SUFFIX = "_xf"


def transformed_key(key: str) -> str:
    """Returns the name of a feature after Transform; Keras input names cannot hold a slash."""
    return key + TRANSFORMED_SUFFIX
