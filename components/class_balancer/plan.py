"""How many copies each image gets, and how far each is shifted: pure functions."""

import dataclasses
import hashlib
import heapq
import math
from collections.abc import Iterable

METHODS = ("translate", "none")


@dataclasses.dataclass(frozen=True)
class ClassPlan:
    """What one class needs to become as large as the largest.

    Attributes:
      count: Images of the class before balancing.
      copies_per_image: Copies that every image gets.
      target: Images of the class after balancing.
      last_extra_key: Images whose key is not above this one get one copy more; empty for none.
    """

    count: int
    copies_per_image: int
    target: int
    last_extra_key: bytes = b""

    def copies_of(self, key: bytes) -> int:
        """Returns the number of copies of the image with this key."""
        return self.copies_per_image + (key <= self.last_extra_key)


def image_key(image: bytes, path: bytes) -> bytes:
    """Returns what orders the images of a class: 32 bytes of content hash, then the path.

    The path sets exact copies apart, so that no two images of a data set have the same key.
    """
    return hashlib.sha256(image).digest() + path


def plan_class(keys: Iterable[bytes], count: int, target: int) -> ClassPlan:
    """Plans the copies of one class.

    Args:
      keys: The key of every image of the class, in any order.
      count: Number of keys, at least 1.
      target: Size of the largest class, at least `count`.

    Returns:
      A plan with `count + sum(copies_of(key)) == target`. For 3 images and a target of 8 the
      deficit is 5: every image gets one copy, and the two with the smallest keys another.

    Example:
      >>> plan = plan_class([b"a", b"b", b"c"], count=3, target=8)
      >>> [plan.copies_of(key) for key in (b"a", b"b", b"c")]
      [2, 2, 1]
    """
    copies_per_image, extra = divmod(target - count, count)
    last = heapq.nsmallest(extra, keys)[-1] if extra else b""
    return ClassPlan(count, copies_per_image, target, last)


def shift_of_copy(key: bytes, copy_index: int, max_shift_px: int, seed: int) -> tuple[int, int]:
    """Returns the shift of one copy, drawn from a hash of the image's key.

    The copies of an image walk through all shifts but (0, 0) in an order of the image's own, so no
    shift comes twice before each has come once.

    Args:
      key: The image's key.
      copy_index: Number of the copy, from 1.
      max_shift_px: Largest shift along either axis.
      seed: Chooses among the orders.

    Returns:
      `(x, y)` in whole pixels, each from -max_shift_px to max_shift_px; x grows to the right, y
      downwards.

    Example:
      >>> [shift_of_copy(b"a", copy_index, max_shift_px=4, seed=1) for copy_index in (1, 2, 3)]
      [(-2, -3), (-3, -3), (-4, -3)]
    """
    width = 2 * max_shift_px + 1
    num_shifts = width * width - 1
    digest = hashlib.sha256(f"{seed}/".encode() + key).digest()
    start = int.from_bytes(digest[:8], "big") % num_shifts
    step = 1 + int.from_bytes(digest[8:16], "big") % (num_shifts - 1)
    # A step with no factor in common with the number of shifts visits each of them; the largest has none.
    while math.gcd(step, num_shifts) != 1:
        step += 1
    index = (start + (copy_index - 1) * step) % num_shifts
    index += index >= num_shifts // 2  # leaves out the middle of the square, which is (0, 0)
    y, x = divmod(index, width)
    return x - max_shift_px, y - max_shift_px
