"""Pictures that are nearly the same: candidates by their hashes, confirmed by their pixels."""

import functools
import pathlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pandas as pd

from emotion_pipeline.components.constants import IMAGE_SIZE_PX
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_findings.groups import Groups
from emotion_pipeline.components.image_findings.uninformative import MIN_CONTRAST
from emotion_pipeline.components.image_ingest.measure import decode_upright

MAX_DISTANCE_BITS = 6
"""Hashes of more different bits than this are not compared further.

Set by looking at pairs of FER2013: of 48 at 6 bits all were the same photograph or drawing, of 48 at
8 bits four fifths, at 10 bits less than half. What it finds: of 1,500 of its pictures made anew, all
at half the light, at 0.4 of the contrast or blurred, all but 3 brighter by 20 grays, all but 2 coded at
quality 30; 95 % of those with a word over them, 89 % turned by 2 degrees, 68 % equalised, 56 % moved by
one pixel, 1 % by two.
"""

MIN_CORRELATION = 0.9
"""Pictures that correlate less are not counted as the same.

Of the 1,348 pairs of up to 6 bits that are compared in FER2013, 33 correlate less; 10 of these are
different photographs or drawings, by up to 0.86, as are different drawn faces of one outline, by up to
0.82. Of the others 200 drawn at random and the 60 lowest were looked at: the 200 all show one
photograph or drawing, of the 60 one is doubtful.
"""

_BANDS = 4
_BAND_BITS = 16
_CHUNK = 4_000_000
_CACHED_PICTURES = 4096

LoadPixels = Callable[[str], np.ndarray]
"""Returns the gray pixels, uint8 [height, width], of a path of the manifest."""


def load_pixels(root: pathlib.Path, path: str) -> np.ndarray:
    """Returns the gray pixels, uint8 [height, width], of a kept file below `root`.

    Raises:
      UserError: The file is gone or no picture any more.
    """
    try:
        data = (root / path).read_bytes()
    except OSError as error:
        raise UserError(
            f"{root / path}: cannot be read any more ({error.strerror}); the data set changed "
            "during the run. Run the command again."
        ) from error
    pixels = decode_upright(data)
    if pixels is None:
        raise UserError(
            f"{root / path}: no picture any more; the data set changed during the run. Run the "
            "command again."
        )
    return pixels


def find_near_copies(kept: pd.DataFrame, load: LoadPixels) -> list[list[str]]:
    """Returns groups of pictures that are nearly the same, as sorted pixel hashes, sorted.

    Each group holds two pixel hashes or more; exact copies count as one picture here. A picture
    joins a group where it is near any one of it. Constant pictures are left out, since they all
    look alike.

    Args:
      kept: Manifest rows.
      load: Reads a picture; called only for those whose hashes are near another's.
    """
    shown = kept[kept["contrast"] >= MIN_CONTRAST].drop_duplicates("pixel_hash")
    hashes = np.array([int(text, 16) for text in shown["perceptual_hash"]], dtype=np.uint64)
    paths = shown["path"].to_numpy()
    correlate = Correlation(load)
    groups: Groups[int] = Groups()
    # A thousand pictures of one hash are compared to the first of them, not each to each.
    values, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    for index, same in enumerate(first[inverse]):
        if index != same and correlate(paths[same], paths[index]) >= MIN_CORRELATION:
            groups.join(int(same), index)
    for pairs in _near_pairs(values):
        for one, other in first[pairs]:
            if correlate(paths[one], paths[other]) >= MIN_CORRELATION:
                groups.join(int(one), int(other))
    pixel_hashes = shown["pixel_hash"].to_numpy()
    return sorted(sorted(pixel_hashes[members]) for members in groups.members())


def _near_pairs(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yields pairs of indices, int [n, 2], of distinct uint64 values up to 6 bits apart, each once.

    Two values up to 7 bits apart differ by at most 1 bit in one of their four 16-bit bands, so it
    is enough to look up each band and its 16 neighbours, as in Norouzi, Punjani and Fleet, "Fast
    Search in Hamming Space with Multi-Index Hashing" (2012).
    """
    bands = [
        ((values >> np.uint64(_BAND_BITS * band)) & np.uint64(0xFFFF)).astype(np.int64)
        for band in range(_BANDS)
    ]
    flips = [0, *(1 << bit for bit in range(_BAND_BITS))]
    for band, keys in enumerate(bands):
        order = np.argsort(keys, kind="stable")
        starts = np.searchsorted(keys[order], np.arange(2**_BAND_BITS + 1))
        for flip in flips:
            for left, right in _expand(starts, keys ^ flip, order):
                rising = left < right
                left, right = left[rising], right[rising]
                near = _count_bits(values[left] ^ values[right]) <= MAX_DISTANCE_BITS
                left, right = left[near], right[near]
                # A pair is given by the first of the bands that finds it.
                for earlier in bands[:band]:
                    new = _count_bits(earlier[left] ^ earlier[right]) > 1
                    left, right = left[new], right[new]
                if len(left):
                    yield np.stack([left, right], axis=1)


def _expand(
    starts: np.ndarray, probes: np.ndarray, order: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields index pairs (i, j) where the band of j is the probe of i, about `_CHUNK` at a time."""
    begins = starts[probes]
    counts = starts[probes + 1] - begins
    # At least one index a chunk, however large its bucket.
    chunks = np.cumsum(counts) // _CHUNK
    for chunk in np.unique(chunks):
        left = np.flatnonzero(chunks == chunk)
        sizes = counts[left]
        ends = np.cumsum(sizes)
        offsets = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
        yield np.repeat(left, sizes), order[np.repeat(begins[left], sizes) + offsets]


def _count_bits(values: np.ndarray) -> np.ndarray:
    """Returns the number of set bits of each value of 64 bits."""
    count = np.zeros(len(values), np.uint8)
    for part in np.ascontiguousarray(values).view(np.uint16).reshape(len(values), 4).T:
        count += _BITS_OF_UINT16[part]
    return count


_BITS_OF_UINT16 = np.array([value.bit_count() for value in range(2**16)], dtype=np.uint8)


class Correlation:
    """Correlates pictures, smoothed and brought to one size, and remembers the latest of them."""

    def __init__(self, load: LoadPixels):
        self._load = load
        self._prepare = functools.lru_cache(maxsize=_CACHED_PICTURES)(self._prepare_picture)

    def __call__(self, one: str, other: str) -> float:
        """Returns Pearson's correlation of two pictures, -1 to 1."""
        return float(np.vdot(self._prepare(one), self._prepare(other)))

    def _prepare_picture(self, path: str) -> np.ndarray:
        size = (IMAGE_SIZE_PX, IMAGE_SIZE_PX)
        pixels = cv2.resize(self._load(path), size, interpolation=cv2.INTER_AREA)
        smooth = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), sigmaX=1)
        centred = smooth - np.mean(smooth)
        return centred / max(float(np.linalg.norm(centred)), 1e-6)
