"""Opens ONNX files as everything here runs them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import onnxruntime

_FATAL_ONLY = 4  # errors are raised too
_Answer = TypeVar("_Answer")


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


def open_session(model: str | bytes, trusted: bool = True) -> onnxruntime.InferenceSession:
    """Opens a model on the CPU.

    Args:
      model: Path of the file, or what is in it.
      trusted: What its constants give is computed now; else each time it runs, which can be given up.

    Raises:
      Exception: It can't be loaded; ONNX Runtime's exceptions have no base of their own.
    """
    import_runtime()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    # Threads that wait for work would take another model's time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        model,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=None if trusted else {"ConstantFolding"},
    )


def within(timeout_secs: float, call: Callable[[], _Answer]) -> _Answer:
    """Returns what a call gives, from a thread of its own, which is left behind where nothing comes.

    A model may run for hours, and ONNX Runtime lets nothing end an operator that has begun: neither signals nor its
    own flag.

    Raises:
      TimeoutError: Nothing came in time.
    """
    future: concurrent.futures.Future[_Answer] = concurrent.futures.Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    concurrent.futures.wait([future], timeout_secs)
    if not future.done():
        raise TimeoutError(f"nothing came for {timeout_secs:g} s")
    return future.result()
