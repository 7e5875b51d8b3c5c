"""Which number format the network computes in."""

import pathlib

import tensorflow as tf

_FAST_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}
_FAST_BFLOAT16_CAPABILITY = (8, 0)
"""Compute capability of the first NVIDIA GPUs with bfloat16 tensor cores (Ampere)."""


def choose_policy(precision: str) -> tuple[str, str]:
    """Chooses the Keras dtype policy.

    Args:
      precision: `float32`, `bfloat16`, or `auto`.

    Returns:
      The policy, `float32` or `mixed_bfloat16` (float32 weights, bfloat16 arithmetic), and the
      reason in words.
    """
    if precision == "float32":
        return "float32", "as asked for"
    if precision == "bfloat16":
        return "mixed_bfloat16", "as asked for"
    for gpu in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpu)
        if details.get("compute_capability", (0, 0)) >= _FAST_BFLOAT16_CAPABILITY:
            return "mixed_bfloat16", f"{details.get('device_name', 'the GPU')} is fast at bfloat16"
        return "float32", "the GPU is not fast at bfloat16"
    fast = sorted(_FAST_BFLOAT16_FLAGS & cpu_flags())
    if fast:
        return "mixed_bfloat16", f"the CPU has {' and '.join(fast)}"
    return "float32", "the CPU has neither avx512_bf16 nor amx_bf16"


def cpu_flags() -> set[str]:
    """Returns the CPU's feature flags as Linux names them; empty where it does not say."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return set()
    for line in lines.splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()
