"""A loaded version of a model: a SavedModel in a session of its own, run by signature."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emotion_faces import tensors
from emotion_faces.model_server import batching, memory, runtime, status
from emotion_faces.protos import meta_graph_pb2, types_pb2

SERVE_TAG = "serve"
INIT_OP_SIGNATURE = "__saved_model_init_op"
_LONGEST_TIMEOUT_MS = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """An input or output: dtype enum, and shape with None for free dimensions (or free rank)."""

    name: str
    dtype: int
    shape: tuple[int | None, ...] | None

    @property
    def batched(self) -> bool:
        """Whether the first dimension is free: rows that may share a run with others."""
        return self.shape is not None and self.shape[:1] == (None,)


@dataclasses.dataclass(frozen=True)
class Signature:
    """A signature as the server uses it; names sorted, which is the order of feeds and fetches."""

    key: str
    method_name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    defaults: Mapping[str, Any]

    @property
    def batched(self) -> bool:
        """Whether requests may share a run: every input and output has a free first dimension."""
        specs = [*self.inputs.values(), *self.outputs.values()]
        return bool(self.inputs) and all(spec.batched for spec in specs)


class Servable:
    """One version of a model, ready to run; safe from any thread.

    Args:
      version_dir: A SavedModel's folder.
      name: The model's name.
      version: The version's number.
      options: How requests share runs.
      tags: Of the meta graph to load.
      session_config: A ConfigProto; None for TensorFlow's defaults.

    Raises:
      StatusError: The folder holds no SavedModel that can be loaded.
    """

    def __init__(
        self,
        version_dir: str | pathlib.Path,
        name: str,
        version: int,
        options: batching.BatchingOptions,
        tags: Sequence[str] = (SERVE_TAG,),
        session_config: Any = None,
    ):
        self.name = name
        self.version = version
        self.version_dir = pathlib.Path(version_dir)
        self._batcher = batching.Batcher(options)
        # A session of its own for each version: its memory goes when the version is unloaded.
        self._session = runtime.Session(graph=runtime.Graph(), config=session_config)
        try:
            # Deviation: TensorFlow Serving has been seen to serve a version without its variables
            # and to fail each request; this loader refuses it.
            meta_graph = runtime.loader.load(self._session, list(tags), str(version_dir))
            # Copies: a reference would hold the graph's whole message, weights and all.
            self.signature_defs: dict[str, Any] = {
                key: _copy(signature) for key, signature in meta_graph.signature_def.items()
            }
            del meta_graph
            self.signatures = {
                key: _signature(key, signature)
                for key, signature in self.signature_defs.items()
                if key != INIT_OP_SIGNATURE
            }
            self._session._extend_graph()
            memory.release()  # before the next stage takes as much again for itself
            self._runs: dict[str, batching.RunFn] = {
                key: self._make_run(signature) for key, signature in self.signatures.items()
            }
        except Exception as error:
            self._session.close()
            raise status.from_tensorflow(error) from error

    def close(self) -> None:
        """Frees the session; no run may be under way."""
        self._runs.clear()
        self._batcher.close()
        self._session.close()

    def run(
        self, signature: Signature, inputs: Mapping[str, np.ndarray], deadline: float | None
    ) -> tuple[dict[str, np.ndarray], float]:
        """Runs inputs that `inputs.check_arrays` passed; returns the outputs and the seconds taken.

        Raises:
          StatusError: The model refused the values, or the deadline (time.monotonic()) passed.
        """
        arrays, key = _feeds(signature, inputs)
        started = time.monotonic()
        run = self._runs[signature.key]
        outputs = (
            self._batcher.run(key, run, arrays, deadline)
            if key
            else self._batcher.run_alone(run, arrays, deadline)
        )
        return _finished(signature, outputs, started)

    async def run_in_loop(
        self, signature: Signature, inputs: Mapping[str, np.ndarray], deadline: float | None
    ) -> tuple[dict[str, np.ndarray], float]:
        """Does what `run` does for a caller in an event loop."""
        arrays, key = _feeds(signature, inputs)
        started = time.monotonic()
        run = self._runs[signature.key]
        outputs = await (
            self._batcher.run_in_loop(key, run, arrays, deadline)
            if key
            else self._batcher.run_alone_in_loop(run, arrays, deadline)
        )
        return _finished(signature, outputs, started)

    def _make_run(self, signature: Signature) -> batching.RunFn:
        feeds = [self._output(spec.name) for spec in signature.inputs.values()]
        fetches = [self._output(spec.name) for spec in signature.outputs.values()]
        session = self._session._session

        def run(arrays: Sequence[np.ndarray], deadline: float | None) -> list[np.ndarray]:
            # Session.run's own core: it takes the deadline, and spares its checks of every feed.
            feed = dict(zip(feeds, arrays, strict=True))
            options = _run_options(deadline)
            try:
                outputs = runtime.tf_session.TF_SessionRun_wrapper(
                    session, options, feed, fetches, [], None
                )
            except runtime.errors.OpError as error:
                raise status.from_tensorflow(error) from None
            except UnicodeDecodeError as error:
                # TensorFlow quotes the caller's bytes in its message, and pybind cannot raise it.
                raise status.invalid_argument(error.object.decode(errors="replace")) from None
            finally:
                if options is not None:
                    runtime.tf_session.TF_DeleteBuffer(options)
            return [_as_array(output) for output in outputs]

        self._prepare(signature, run)
        return run

    def _output(self, name: str) -> Any:
        return self._session.graph.as_graph_element(name)._as_tf_output()

    def _prepare(self, signature: Signature, run: batching.RunFn) -> None:
        """Builds a signature's executors now, so that no request waits for them.

        TensorFlow builds them before it looks at the feeds' dtypes; so feeds of a wrong dtype have
        them built, and run nothing.
        """
        wrong = [
            np.zeros((), np.int8 if spec.dtype != types_pb2.DT_INT8 else np.float32)
            for spec in signature.inputs.values()
        ]
        if wrong:
            with contextlib.suppress(status.StatusError):
                run(wrong, None)
            memory.release()


def _feeds(
    signature: Signature, inputs: Mapping[str, np.ndarray]
) -> tuple[list[np.ndarray], tuple[Any, ...] | None]:
    """Returns the arrays in the signature's order, and what requests that may share a run have in common."""
    arrays = [inputs[alias] for alias in signature.inputs]
    if not (signature.batched and len({len(array) for array in arrays}) == 1 and len(arrays[0])):
        return arrays, None
    return arrays, (signature.key, *[(array.dtype.char, array.shape[1:]) for array in arrays])


def _finished(
    signature: Signature, outputs: Sequence[np.ndarray], started: float
) -> tuple[dict[str, np.ndarray], float]:
    seconds = time.monotonic() - started
    memory.IDLE.note_run()
    return dict(zip(signature.outputs, outputs, strict=True)), seconds


def _run_options(deadline: float | None) -> Any:
    if deadline is None:
        return None
    milliseconds = max(1, int((deadline - time.monotonic()) * 1000))
    if milliseconds > _LONGEST_TIMEOUT_MS:
        return None
    options = runtime.config_pb2.RunOptions(timeout_in_ms=milliseconds).SerializeToString()
    return runtime.tf_session.TF_NewBufferFromString(options)


def _as_array(output: Any) -> np.ndarray:
    if isinstance(output, bytes):  # a scalar string comes out bare
        array = np.empty((), object)
        array[()] = output
        return array
    return np.asarray(output)


def _copy(signature: meta_graph_pb2.SignatureDef) -> meta_graph_pb2.SignatureDef:
    copy = meta_graph_pb2.SignatureDef()
    copy.CopyFrom(signature)
    return copy


def _signature(key: str, signature: meta_graph_pb2.SignatureDef) -> Signature:
    return Signature(
        key=key,
        method_name=signature.method_name,
        inputs={alias: _spec(signature.inputs[alias]) for alias in sorted(signature.inputs)},
        outputs={alias: _spec(signature.outputs[alias]) for alias in sorted(signature.outputs)},
        defaults=dict(signature.defaults),
    )


def _spec(info: meta_graph_pb2.TensorInfo) -> TensorSpec:
    shape = None
    if not info.tensor_shape.unknown_rank:
        shape = tuple(dim.size if dim.size >= 0 else None for dim in info.tensor_shape.dim)
    return TensorSpec(info.name, info.dtype, shape)


def describe_shape(shape: Sequence[int | None] | None) -> str:
    """A shape as error messages have it: [-1,48,48,1], or [?] where the rank is free."""
    if shape is None:
        return "[?]"
    return "[" + ",".join("-1" if size is None else str(size) for size in shape) + "]"


def numpy_dtype(spec: TensorSpec) -> np.dtype | None:
    """The numpy dtype of an input or output; None where the server does not support it."""
    return tensors.numpy_dtype(spec.dtype)
