"""Opens ONNX files as everything here runs them."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

_FATAL_ONLY = 4  # errors are raised too


def import_runtime() -> None:
    """Imports ONNX Runtime; Ctrl-C and SIGTERM wait until it is done.

    Its extension module makes an ImportError of whatever interrupts it.
    """
    with _signals_held():
        import onnxruntime  # noqa: F401


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    held: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # None: something else than Python handles it.
    before = {number: handler for number, handler in handlers.items() if handler is not None}
    for number in before:
        signal.signal(number, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for one in held:
            signal.raise_signal(one)


def open_session(model: str | bytes) -> onnxruntime.InferenceSession:
    """Opens a model on the CPU.

    Args:
      model: Path of the file, or what is in it.

    Raises:
      Exception: It can't be loaded; ONNX Runtime's exceptions have no base of their own.
    """
    import_runtime()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    # Threads that wait for work would take another model's time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
