"""A trained network in one small file: matrices in half precision, and what its answers mean."""

import dataclasses
import io
import json
import os
from typing import Any

import numpy as np

_FACTS = "facts.json"


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a weights file says of its model.

    Attributes:
      version: Number of the version folder that it is served from.
      labels: Class names in the order of the outputs.
      flip: Whether an answer is the mean over the image and its mirror image.
      metrics: Figures of the served model on the eval split.
      provenance: Data, recipe, command, commit, seed and date of the training.
    """

    version: int
    labels: list[str]
    flip: bool
    metrics: dict[str, Any]
    provenance: dict[str, Any]


def pack(weights: dict[str, np.ndarray], facts: Facts) -> bytes:
    """Returns the file's bytes, an uncompressed `.npz`.

    Args:
      weights: Arrays by name. Kernels become float16; biases and batch normalisation's vectors,
        whose range half precision may not hold, stay float32.
      facts: What the model is.

    Raises:
      ValueError: A kernel has a value that float16 cannot hold.
    """
    arrays = {}
    for name, value in weights.items():
        with np.errstate(over="ignore"):  # Refused by name below.
            packed = value.astype(np.float16 if value.ndim > 1 else np.float32)
        if not np.isfinite(packed).all():
            raise ValueError(f"{name}: holds a value that {packed.dtype} cannot hold")
        arrays[name] = packed
    text = json.dumps(dataclasses.asdict(facts), sort_keys=True)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, **{_FACTS: np.frombuffer(text.encode(), np.uint8)})
    return buffer.getvalue()


def unpack(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], Facts]:
    """Reads what `pack` wrote; every array is float32."""
    with np.load(path, allow_pickle=False) as file:
        facts = Facts(**json.loads(file[_FACTS].tobytes()))
        return {name: file[name].astype(np.float32) for name in file.files if name != _FACTS}, facts
