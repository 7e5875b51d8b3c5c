"""Opens ONNX files as everything here runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

_ERRORS_ONLY = 3


def open_session(model: str | bytes) -> onnxruntime.InferenceSession:
    """Opens a model on the CPU.

    Args:
      model: Path of the file, or what is in it.

    Raises:
      Exception: It can't be loaded; ONNX Runtime's exceptions have no base of their own.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    # Threads that wait for work would take another model's time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
