"""Compares the speed of finding and classifying a film's faces with the packages fer and deepface.

    uv venv peers --python 3.10
    uv pip install --python peers fer deepface tf-keras flask "opencv-python<5" "setuptools<80"
    python -m benchmarks.faces.annotate_peers --photograph group.jpg --model-dir MODEL \\
        --peers peers/bin/python

Each runs alone in a process of its own, one after the other, on the same 640 x 480 frames, in which
the view pans across the photograph; the first frame, which loads the model, is not counted.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np

ROOT = pathlib.Path(__file__).parents[2]
PEERS = ("fer, Haar", "fer, MTCNN", "deepface, OpenCV")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photograph", required=True)
    parser.add_argument("--model-dir", required=True)
    parser.add_argument("--peers", required=True, help="the Python that has fer and deepface")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(args)))
        return
    for name in ("ours", *PEERS):
        python = sys.executable if name == "ours" else args.peers
        command = [python, __file__, *sys.argv[1:], "--only", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name:18} did not run: {done.stderr.strip().splitlines()[-1][:200]}")
            continue
        answer = json.loads(done.stdout.strip().splitlines()[-1])
        print(f"{name:18} {answer['fps']:6.2f} frames/s, {answer['faces']} faces")


def measure(args: argparse.Namespace) -> dict[str, float]:
    group = cv2.imread(args.photograph)
    factor = 600 / group.shape[0]
    group = cv2.resize(group, None, fx=factor, fy=factor)
    lefts = np.linspace(0, group.shape[1] - 640, args.frames + 1).astype(int)
    frames = [np.ascontiguousarray(group[60:540, x : x + 640]) for x in lefts]
    if args.only == "ours":
        return measure_ours(frames, args.model_dir)
    count = count_faces_of(args.only)
    count(frames[0])
    start = time.perf_counter()
    faces = sum(count(frame) for frame in frames[1:])
    return {"fps": args.frames / (time.perf_counter() - start), "faces": faces}


def measure_ours(frames: list[np.ndarray], model_dir: str) -> dict[str, float]:
    sys.path.insert(0, str(ROOT))
    from emotion_faces import local_server
    from emotion_faces.annotate.faces import Shot, ask_model, find_emotions
    from emotion_faces.faces.detector import CenterFace

    with local_server.connect(model_dir=pathlib.Path(model_dir)) as client:
        ask_model(client)
        detector = CenterFace()
        shots = [Shot(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)) for frame in frames]
        list(find_emotions(shots[:1], detector, client))
        start = time.perf_counter()
        faces = sum(len(shot.faces) for shot in find_emotions(shots[1:], detector, client))
        return {"fps": (len(frames) - 1) / (time.perf_counter() - start), "faces": faces}


def count_faces_of(name: str) -> Callable[[np.ndarray], int]:
    if name.startswith("fer"):
        from fer.fer import FER

        detector = FER(mtcnn=name.endswith("MTCNN"))
        return lambda frame: len(detector.detect_emotions(frame))
    from deepface import DeepFace

    options = {"actions": ["emotion"], "enforce_detection": False, "silent": True}
    return lambda frame: len(DeepFace.analyze(frame, **options))


if __name__ == "__main__":
    main()
