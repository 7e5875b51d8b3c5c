"""Small pictures for a page: chosen without chance, shrunk, and written into it."""

import base64
import dataclasses
import pathlib
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import pandas as pd
import tensorflow as tf

from emotion_pipeline.components import features
from emotion_pipeline.components.image_ingest.measure import decode_upright

MAX_SIDE_PX = 72
_JPEG_QUALITY = 80
_BATCH = 512


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture on the page.

    Attributes:
      uri: A `data:` URI; empty where the file is gone or no picture any more.
      name: What it is called: the file's path.
      caption: What is said about it.
    """

    uri: str
    name: str
    caption: str = ""


@dataclasses.dataclass(frozen=True)
class TranslatedCopies:
    """A picture of the train split, and the copies that ClassBalancer made of it, in their order."""

    label: str
    source: Picture
    copies: tuple[Picture, ...]


def data_uri(data: bytes) -> str:
    """Returns an encoded picture as the gray JPEG of a page, no side above 72 pixels; '' if unreadable.

    Gray and upright, as the pipeline sees it; a picture that is small already keeps its size.
    """
    pixels = decode_upright(data)
    if pixels is None:
        return ""
    scale = MAX_SIDE_PX / max(pixels.shape)
    if scale < 1:
        height, width = (max(round(side * scale), 1) for side in pixels.shape)
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return _uri(pixels)


def rgb_uri(pixels: np.ndarray) -> str:
    """Returns a drawn picture, uint8 RGB [height, width, 3], as a JPEG of a page."""
    return _uri(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


def _uri(pixels: np.ndarray) -> str:
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def read_picture(root: pathlib.Path, path: str, caption: str = "") -> Picture:
    """Reads a file below the data set's root; one that is gone is told by an empty `uri`."""
    try:
        data = (root / path).read_bytes()
    except OSError:
        data = b""
    return Picture(data_uri(data), path, caption)


def sample_rows(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Returns at most `count` rows of a manifest, those with the smallest content hash.

    A hash is as good as a draw, and the same pictures come for the same data.
    """
    return rows.sort_values(["content_hash", "path"]).head(count)


def find_translated_copies(
    file_pattern: str, sources: Iterable[str], max_copies: int
) -> list[TranslatedCopies]:
    """Picks the copies of some pictures out of the balanced train split.

    Args:
      file_pattern: Glob pattern of the split's TFRecord files.
      sources: Paths of the pictures.
      max_copies: How many copies of each are taken, those with the lowest numbers.

    Returns:
      The pictures that are in the split and have copies, sorted by label.
    """
    wanted = np.array([path.encode("utf-8") for path in sources], object)
    found: dict[str, dict[int, tuple[str, bytes, int, int]]] = {}
    for path, label, image, index, x_px, y_px in _read(file_pattern, wanted):
        if index <= max_copies:
            found.setdefault(path, {})[index] = (label, image, x_px, y_px)
    result = []
    for path, versions in found.items():
        if 0 in versions and len(versions) > 1:
            label, image, _, _ = versions.pop(0)
            copies = tuple(
                Picture(data_uri(copy), path, f"{x_px:+d}, {y_px:+d} px")
                for _, (_, copy, x_px, y_px) in sorted(versions.items())
            )
            result.append(TranslatedCopies(label, Picture(data_uri(image), path, "source"), copies))
    return sorted(result, key=lambda one: (one.label, one.source.name))


def _read(file_pattern: str, wanted: np.ndarray) -> Iterator[tuple[str, str, bytes, int, int, int]]:
    spec = {
        **{
            key: tf.io.FixedLenFeature([], tf.string)
            for key in (features.PATH_KEY, features.LABEL_KEY, features.IMAGE_KEY)
        },
        **{
            key: tf.io.FixedLenFeature([], tf.int64)
            for key in (features.COPY_INDEX_KEY, features.SHIFT_X_KEY, features.SHIFT_Y_KEY)
        },
    }
    files = sorted(tf.io.gfile.glob(file_pattern))
    for batch in tf.data.TFRecordDataset(files).batch(_BATCH).prefetch(1):
        parsed = tf.io.parse_example(batch, spec)
        paths = parsed[features.PATH_KEY].numpy()
        for row in np.flatnonzero(np.isin(paths, wanted)):
            yield (
                paths[row].decode("utf-8"),
                parsed[features.LABEL_KEY][row].numpy().decode("utf-8"),
                parsed[features.IMAGE_KEY][row].numpy(),
                *(
                    int(parsed[key][row])
                    for key in (
                        features.COPY_INDEX_KEY,
                        features.SHIFT_X_KEY,
                        features.SHIFT_Y_KEY,
                    )
                ),
            )
