"""A trained network's weights in one small file: matrices in half precision."""

import io
import os

import numpy as np

_FACTS = "facts.json"
"""What older weights files hold beside their arrays; today it is a file of its own."""


def pack(weights: dict[str, np.ndarray]) -> bytes:
    """Returns the file's bytes, an uncompressed `.npz`.

    Args:
      weights: Arrays by name. Kernels become float16; biases and batch normalisation's vectors,
        whose range half precision may not hold, stay float32.

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
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def unpack(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads what `pack` wrote; every array is float32."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name].astype(np.float32) for name in file.files if name != _FACTS}
