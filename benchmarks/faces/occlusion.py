"""Measures whether the maps of `emotion explain` name what the model's answers rest on.

    python -m benchmarks.faces.occlusion --faces DATA/images/validation

Of each face the pixels that a map says are the most important are covered, and the probability of the answer is
taken again. Beside it, as many pixels by the map of another face, which has the same kind of shapes in it and knows
nothing of this one. What covers is the face's mean gray, which is not what the maps were made with.
"""

from __future__ import annotations

import argparse
import pathlib

import cv2
import numpy as np

from emotion_faces import local_server, shipped
from emotion_faces.annotate.faces import face_emotion
from emotion_faces.explain import probability_falls
from emotion_faces.faces.detector import FaceBox

SHARES = (0.1, 0.2, 0.3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=pathlib.Path, required=True)
    parser.add_argument("--step", type=int, default=70, help="take every n-th image")
    parser.add_argument("--model", help="one of the models that come along")
    args = parser.parse_args()
    files = sorted(args.faces.rglob("*.jpg"))[:: args.step]
    images = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in files]
    pixels = np.stack(images)[..., None].astype(np.float32) / 255
    with local_server.connect(model_dir=shipped.find_model(args.model).folder) as model:
        answers = model.predict_pixels(pixels)
        faces = [face_emotion(FaceBox(0, 0, 48, 48), answer, 1) for answer in answers]
        print(f"{len(files)} faces; the answers' mean probability is {_mean(faces):.3f}")
        print(
            f"{'cover':>6}"
            + "".join(f"{f'{share:.0%} covered':>14}{'other':>8}" for share in SHARES)
        )
        for side in (8, 12, 16):
            maps = [
                probability_falls(one, model, face.top, side)
                for face, one in zip(faces, pixels, strict=True)
            ]
            row = f"{side:4}px"
            for share in SHARES:
                for shift, width in ((0, 14), (1, 8)):
                    row += (
                        f"{_left(model, faces, pixels, np.roll(maps, shift, 0), share):{width}.3f}"
                    )
            print(row, flush=True)


def _mean(faces) -> float:
    return float(np.mean([face.probabilities[face.top] for face in faces]))


def _left(model, faces, pixels, maps, share) -> float:
    """Returns the mean probability of the answers once a share of the pixels is covered."""
    limits = np.quantile(maps, 1 - share, axis=(1, 2), keepdims=True)
    gray = pixels.mean(axis=(1, 2, 3), keepdims=True)
    covered = np.where((maps >= limits)[..., None], gray, pixels).astype(np.float32)
    answers = model.predict_pixels(covered)
    pairs = zip(answers, faces, strict=True)
    return float(np.mean([answer.probabilities[face.top] for answer, face in pairs]))


if __name__ == "__main__":
    main()
