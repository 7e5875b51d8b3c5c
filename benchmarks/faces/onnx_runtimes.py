"""Times the face detector and the models that come along as ONNX, by ONNX Runtime and by OpenCV's dnn.

    python -m benchmarks.faces.onnx_runtimes

OpenCV gets the network alone, on batches that are equalised and doubled by their mirror images before the
clock runs; ONNX Runtime the whole file. One thread, CPU time, the best of several runs: other work on the
machine hardly counts.
"""

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
import onnxruntime

from emotion_faces.faces import detector
from emotion_pipeline.onnx_model.model import make_onnx
from emotion_pipeline.shipped.models import shipped_models
from emotion_pipeline.shipped.weights import unpack


def best_ms(call: Callable[[], object], runs: int) -> float:
    call()
    spent = []
    for _ in range(runs):
        began = time.process_time()
        call()
        spent.append(time.process_time() - began)
    return 1000 * min(spent)


def time_detector(settings: onnxruntime.SessionOptions, runs: int) -> None:
    session = onnxruntime.InferenceSession(
        str(detector.WEIGHTS), settings, ["CPUExecutionProvider"]
    )
    for width, height in ((320, 256), (640, 480)):
        pixels = np.random.default_rng(0).uniform(0, 255, (1, 3, height, width))
        batch = pixels.astype(np.float32)
        net = cv2.dnn.readNetFromONNX(str(detector.WEIGHTS))

        def run_opencv(net=net, batch=batch):
            net.setInput(batch)
            return net.forward(detector.OUTPUTS)

        def run_onnx(batch=batch):
            return session.run(detector.OUTPUTS, {detector.INPUT: batch})

        of_onnx, of_opencv = best_ms(run_onnx, runs), best_ms(run_opencv, runs)
        print(
            f"detector, {width} x {height}: {of_onnx:.1f} ms by ONNX Runtime, "
            f"{of_opencv:.1f} ms by OpenCV"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, nargs="+", default=[1, 2, 8, 32])
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    print(f"ONNX Runtime {onnxruntime.__version__}, OpenCV {cv2.__version__}")
    time_detector(settings, options.runs)
    for model in shipped_models():
        weights, facts = unpack(model.weights_file), model.facts
        whole = make_onnx(weights, facts.labels, facts.network, facts.normalize, facts.flip)
        bare = make_onnx(weights, facts.labels, facts.network, "none", False)
        session = onnxruntime.InferenceSession(whole, settings, ["CPUExecutionProvider"])
        for faces in options.faces:
            pixels = np.random.default_rng(0).random((faces, 48, 48, 1), np.float32)
            batch = np.concatenate([pixels, pixels[:, :, ::-1]]) if facts.flip else pixels
            # A net for each size of batch: OpenCV 4.11 answers nonsense after that changes.
            net = cv2.dnn.readNetFromONNX(np.frombuffer(bare, np.uint8))

            def run_opencv(net=net, batch=batch):
                net.setInput(batch, "pixels")
                return net.forward()

            def run_onnx(session=session, pixels=pixels):
                return session.run(None, {"pixels": pixels})

            of_onnx, of_opencv = best_ms(run_onnx, options.runs), best_ms(run_opencv, options.runs)
            print(
                f"{model.name}, {faces} faces: {of_onnx:.1f} ms by ONNX Runtime, "
                f"{of_opencv:.1f} ms by OpenCV"
            )


if __name__ == "__main__":
    main()
