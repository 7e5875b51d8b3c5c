"""Measures what the models that come along lose and gain in 8 bits: accuracy, CPU time, size.

    python -m benchmarks.faces.int8 --data DATA/images
    python -m benchmarks.faces.int8 --data DATA/images --write

With `--write` a model that loses little enough gets its `model.int8.onnx` beside its weights. One thread, CPU time, in
batches of 32.
"""

from __future__ import annotations

import argparse
import pathlib
import time

import cv2
import numpy as np
import onnxruntime

from emotion_faces.model_folder import INT8_FILE
from emotion_pipeline.onnx_model.int8 import MAX_ACCURACY_DROP, choose_sample, in_int8
from emotion_pipeline.onnx_model.model import make_onnx
from emotion_pipeline.shipped.models import shipped_models
from emotion_pipeline.shipped.weights import unpack

_BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=pathlib.Path, required=True, help="has train, validation")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    train, _ = read_pictures(args.data / "train")
    pixels, labels = read_pictures(args.data / "validation")
    print(f"ONNX Runtime {onnxruntime.__version__}, {len(pixels)} pictures")
    for model in shipped_models():
        facts = model.facts
        whole = make_onnx(unpack(model.weights_file), facts.labels, **facts.kind)
        small = in_int8(whole, choose_sample(train))
        accuracies = []
        for name, data in (("float32", whole), ("8 bits", small)):
            probabilities, seconds = answer(data, pixels)
            named = np.array(facts.labels)[probabilities.argmax(axis=1)]
            accuracies.append(np.mean(named == labels))
            print(
                f"{model.name}, {name}: accuracy {accuracies[-1]:.4f}, "
                f"{1000 * seconds / len(pixels):.2f} ms a picture, {len(data) / 1e6:.1f} MB",
                flush=True,
            )
        before, after = accuracies
        if args.write and before - after < MAX_ACCURACY_DROP:
            (model.folder / INT8_FILE).write_bytes(small)
            print(f"written: {model.folder / INT8_FILE}")


def answer(model: bytes, pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns the probabilities, and the CPU seconds that they took."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    rows = []
    began = time.process_time()
    for start in range(0, len(pixels), _BATCH):
        batch = pixels[start : start + _BATCH].astype(np.float32) / 255
        rows += session.run(["probabilities"], {"pixels": batch})
    return np.concatenate(rows), time.process_time() - began


def read_pictures(folder: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    files = sorted(folder.rglob("*.jpg"))
    images = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files]
    return np.stack(images)[..., np.newaxis], np.array([file.parent.name for file in files])


if __name__ == "__main__":
    main()
