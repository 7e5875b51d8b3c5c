"""Measures what the models that come along lose and gain in 8 bits: accuracy, CPU time, size.

    python -m benchmarks.faces.eight_bits --data DATA/images

Weights of convolutions and dense layers become int8 for each channel, what goes into them uint8, by ONNX Runtime's own
quantisation; the ranges are those of every 60th train picture. One thread, CPU time, in batches of 32.
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile
import time
from collections.abc import Iterator

import cv2
import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from emotion_pipeline.onnx_model.model import make_onnx
from emotion_pipeline.shipped.models import shipped_models
from emotion_pipeline.shipped.weights import unpack

_BATCH = 32
_QUANTISED = ["Conv", "Gemm", "MatMul"]


class Pictures(CalibrationDataReader):
    """Batches of pictures, as ONNX Runtime's calibration asks for them."""

    def __init__(self, pixels: np.ndarray):
        self._batches = iter(batches(pixels))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"pixels": batch}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=pathlib.Path, required=True, help="has train, validation")
    args = parser.parse_args()
    sample, _ = read_pictures(args.data / "train", 60)
    pixels, labels = read_pictures(args.data / "validation", 1)
    print(f"ONNX Runtime {onnxruntime.__version__}, {len(pixels)} pictures")
    for model in shipped_models():
        weights, facts = unpack(model.weights_file), model.facts
        whole = make_onnx(weights, facts.labels, facts.network, facts.normalize, facts.flip)
        for name, data in (("float32", whole), ("8 bits", in_eight_bits(whole, sample))):
            probabilities, seconds = answer(data, pixels)
            named = np.array(facts.labels)[probabilities.argmax(axis=1)]
            print(
                f"{model.name}, {name}: accuracy {np.mean(named == labels):.4f}, "
                f"{1000 * seconds / len(pixels):.2f} ms a picture, {len(data) / 1e6:.1f} MB",
                flush=True,
            )


def in_eight_bits(model: bytes, sample: np.ndarray) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        whole, shaped, small = (str(pathlib.Path(folder, f"{name}.onnx")) for name in "abc")
        pathlib.Path(whole).write_bytes(model)
        quant_pre_process(whole, shaped, skip_symbolic_shape=True)
        quantize_static(
            shaped,
            small,
            Pictures(sample),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_QUANTISED,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return pathlib.Path(small).read_bytes()


def answer(model: bytes, pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns the probabilities, and the CPU seconds that they took."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    began = time.process_time()
    rows = [session.run(["probabilities"], {"pixels": batch})[0] for batch in batches(pixels)]
    return np.concatenate(rows), time.process_time() - began


def batches(pixels: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(pixels), _BATCH):
        yield pixels[start : start + _BATCH]


def read_pictures(folder: pathlib.Path, step: int) -> tuple[np.ndarray, np.ndarray]:
    files = sorted(folder.rglob("*.jpg"))[::step]
    images = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files]
    pixels = np.stack(images)[..., np.newaxis].astype(np.float32) / 255
    return pixels, np.array([file.parent.name for file in files])


if __name__ == "__main__":
    main()
