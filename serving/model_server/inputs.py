"""Checks a request's tensors against the signature before anything runs.

Deviation: TensorFlow Serving leaves shapes to the model's operations. There a wrong rank can abort
the whole process (oneDNN's convolution) or answer nonsense without an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from emotion_faces import tensors
from emotion_faces.model_server import image_guard, servable, status

_log = logging.getLogger(__name__)

IMAGE_INPUT = "image_bytes"
"""An input of this name holds encoded images, one an element."""

PIXELS_INPUT = "pixels"
"""An input of this name holds gray images, in [0, 1]."""


def joined(names: Iterable[str]) -> str:
    """Names as TensorFlow Serving lists them: sorted, between commas."""
    return ",".join(sorted(names))


def parse_tensors(signature: servable.Signature, request: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a request's TensorProtos, by input alias, the signature's defaults included.

    Raises:
      StatusError: INVALID_ARGUMENT: other names than the signature's, or a malformed tensor.
    """
    sent, wanted = set(request), set(signature.inputs)
    if len(sent) > len(wanted) or (len(sent) < len(wanted) and not signature.defaults):
        raise status.invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(wanted)} "
            f"len({{{joined(sent)}}}) != len({{{joined(wanted)}}}). "
            f"Sent extra: {{{joined(sent - wanted)}}}. "
            f"Missing but required: {{{joined(wanted - sent)}}}."
        )
    arrays = {}
    for alias, spec in signature.inputs.items():
        proto = request[alias] if alias in sent else signature.defaults.get(alias)
        if proto is None:
            raise status.invalid_argument(
                f"Signature input alias: {alias}(feed name: {spec.name}) not found in request and "
                "no default value provided. Inputs expected to be in the request "
                f"{{{joined(sent)}}}, or default input alias set: {joined(signature.defaults)}"
            )
        try:
            arrays[alias] = tensors.to_array(proto)
        except tensors.ExpansionError as error:
            raise status.invalid_argument(f"tensor parsing error: {alias}: {error}") from None
        except ValueError as error:
            _log.info("input %s: %s", alias, error)
            raise status.invalid_argument(f"tensor parsing error: {alias}") from None
    if sent - wanted:
        raise status.invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {joined(sent & wanted)}, "
            f"request input: {joined(sent)}"
        )
    return arrays


def check_arrays(
    signature: servable.Signature,
    arrays: Mapping[str, np.ndarray],
    limits: image_guard.ImageLimits,
) -> None:
    """Refuses wrong dtypes and shapes, images beyond the limits, and pixels that are no numbers.

    Raises:
      StatusError: INVALID_ARGUMENT, naming the input, what it expects and what it got.
    """
    for index, (alias, spec) in enumerate(signature.inputs.items()):
        array = arrays[alias]
        if array.dtype != servable.numpy_dtype(spec):
            raise status.invalid_argument(
                f"Expects arg[{index}] to be {tensors.dtype_name(spec.dtype)} but "
                f"{tensors.dtype_name(tensors.enum_of(array))} is provided"
            )
        if not _fits(array.shape, spec.shape):
            raise status.invalid_argument(
                f"input {alias} has shape {servable.describe_shape(array.shape)}, and the "
                f"signature {signature.key} takes {servable.describe_shape(spec.shape)}"
            )
        if array.dtype == object:
            check = image_guard.check_images if alias == IMAGE_INPUT else image_guard.check_strings
            check(array.flat, limits, alias)
        elif alias == PIXELS_INPUT and array.dtype.kind == "f" and not np.isfinite(array).all():
            # The network would answer with a class, and NaN for its probability.
            raise status.invalid_argument(f"input {alias} holds NaN or infinite values")
    if signature.batched:
        rows = {alias: len(arrays[alias]) for alias in signature.inputs}
        # An empty batch makes oneDNN's convolution fail where the plain one answers [0, 7].
        if 0 in rows.values():
            empty = min(alias for alias, size in rows.items() if size == 0)
            raise status.invalid_argument(f"input {empty} has no rows: the batch is empty")


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...] | None) -> bool:
    if wanted is None:
        return True
    return len(shape) == len(wanted) and all(
        size is None or size == found for found, size in zip(shape, wanted, strict=True)
    )


def first_refused(
    run: Callable[[Mapping[str, np.ndarray]], Any], arrays: Mapping[str, np.ndarray], rows: int
) -> int:
    """The first row that makes `run` fail, where the whole of `arrays` did; halves each time."""
    low, high = 0, rows
    while high - low > 1:
        middle = (low + high) // 2
        try:
            run({alias: array[low:middle] for alias, array in arrays.items()})
            low = middle
        except status.StatusError:
            high = middle
    return low
