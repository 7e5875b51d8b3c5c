"""Measures how large the detector's box is in FER2013's images, from which the crop's margin comes.

    python -m benchmarks.faces.face_crop --faces DATA/images/train

Each image is enlarged fourfold on a gray canvas, since the detector wants some surroundings. With
`--model-dir` faces are also pasted into a scene, found, cut and classified, beside the originals.
"""

from __future__ import annotations

import argparse
import pathlib

import cv2
import numpy as np

from emotion_faces import local_server
from emotion_faces.faces.crop import crop_faces
from emotion_faces.faces.detector import CenterFace

SIDE_PX = 192
MARGIN_PX = 96


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=pathlib.Path, required=True)
    parser.add_argument("--step", type=int, default=57, help="take every n-th image")
    parser.add_argument("--model-dir", type=pathlib.Path)
    args = parser.parse_args()
    detector = CenterFace()
    shares, originals, crops, labels = [], [], [], []
    files = sorted(args.faces.rglob("*.jpg"))[:: args.step]
    for path in files:
        face = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        large = cv2.resize(face, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
        border = (MARGIN_PX,) * 4
        canvas = cv2.copyMakeBorder(large, *border, cv2.BORDER_CONSTANT, value=127)
        scene = np.repeat(canvas[:, :, None], 3, axis=2)
        boxes = detector(scene)
        if boxes:
            box = boxes[0]
            x, y = box.left + box.width / 2, box.top + box.height / 2
            place = ((x - MARGIN_PX), (y - MARGIN_PX), box.width, box.height)
            shares.append([value / SIDE_PX for value in place])
            originals.append(face[:, :, None] / np.float32(255))
            crops.append(crop_faces(scene, [box])[0])
            labels.append(path.parent.name)
    numbers = np.array(shares)
    print(f"{len(shares)} of {len(files)} faces found")
    for name, column in zip(("centre x", "centre y", "width", "height"), numbers.T, strict=True):
        low, middle, high = np.percentile(column, (10, 50, 90))
        print(f"{name:9} {middle:.3f} of the side (10 to 90 %: {low:.3f} to {high:.3f})")
    sides = 1 / np.sqrt(numbers[:, 2] * numbers[:, 3])
    print(f"side over the box's geometric mean: {np.median(sides):.3f}")
    if args.model_dir:
        with local_server.connect(model_dir=args.model_dir) as client:
            for name, pixels in (("original", originals), ("found and cut", crops)):
                answers = client.predict_pixels(np.array(pixels, np.float32))
                right = sum(a.label == b for a, b in zip(answers, labels, strict=True))
                print(f"{name}: {right / len(labels):.3f} right")


if __name__ == "__main__":
    main()
