"""What more than one room needs to know about the data set."""

LABELS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""Class names in index order: alphabetical, as Keras orders the folders."""

IMAGE_SIZE_PX = 48
"""Width and height, in pixels, of an image that the network takes."""

TRAIN_SPLIT = "train"
EVAL_SPLIT = "eval"
TEST_SPLIT = "test"
"""What judges a model where the data has it; no choice is made by it."""

SPLITS: tuple[str, ...] = (TRAIN_SPLIT, EVAL_SPLIT)
"""The splits that every data set has."""

ALL_SPLITS: tuple[str, ...] = (*SPLITS, TEST_SPLIT)
