"""A model's ONNX file in 8 bits: the deep network's answers in a third of the time, and a little different."""

import pathlib
import tempfile
from collections.abc import Iterator

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from emotion_faces.onnx_session import open_session

MAX_ACCURACY_DROP = 0.005
"""A model that loses more than this share of right answers is not written in 8 bits."""

SAMPLE_PICTURES = 480
"""So many train pictures say between which bounds the numbers inside the network lie."""

_BATCH = 32
_OPERATORS = ["Conv", "Gemm", "MatMul"]


def in_int8(model: bytes, pixels: np.ndarray) -> bytes:
    """Returns a model of which convolutions and dense layers compute in 8 bits.

    Their weights are int8 for each channel, what goes into them is uint8, by ONNX Runtime's own static
    quantisation. Input, output and metadata stay as they are.

    Args:
      model: As `make_onnx` returns it.
      pixels: `[N, 48, 48, 1]` float32 in [0, 1], N > 0: pictures as it is asked about.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole, shaped, small = (str(pathlib.Path(folder, f"{name}.onnx")) for name in "abc")
        pathlib.Path(whole).write_bytes(model)
        quant_pre_process(whole, shaped, skip_symbolic_shape=True)
        quantize_static(
            shaped,
            small,
            _Batches(pixels),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_OPERATORS,
            per_channel=True,
            # Weights of 7 bits: without VNNI the sums of two products would not fit the CPU's 16 bits.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return pathlib.Path(small).read_bytes()


def choose_sample(pixels: np.ndarray) -> np.ndarray:
    """Returns at most `SAMPLE_PICTURES` of `[N, 48, 48, 1]` uint8 pictures, evenly spread, float32 in [0, 1]."""
    step = max(1, len(pixels) // SAMPLE_PICTURES)
    return pixels[::step][:SAMPLE_PICTURES].astype(np.float32) / 255


def accuracy_of(model: bytes, pixels: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of `[N, 48, 48, 1]` uint8 pictures about which a model answers as `[N]` labels say."""
    session = open_session(model)
    right = 0
    for start in range(0, len(pixels), _BATCH):
        batch = pixels[start : start + _BATCH].astype(np.float32) / 255
        (answers,) = session.run(["probabilities"], {"pixels": batch})
        right += int((answers.argmax(axis=1) == labels[start : start + _BATCH]).sum())
    return right / len(pixels)


class _Batches(CalibrationDataReader):
    """Gives the pictures as ONNX Runtime's calibration asks for them."""

    def __init__(self, pixels: np.ndarray):
        self._batches: Iterator[np.ndarray] = (
            pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH)
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"pixels": batch}
