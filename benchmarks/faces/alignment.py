"""Measures what it gives to turn pictures and faces upright before the model is asked.

    python -m benchmarks.faces.alignment --faces DATA/images/validation --photographs a.jpg b.jpg

Each 48x48 face is enlarged twofold, its edges go on to all sides, and the whole is turned about its middle, one face
clockwise and the next one the other way. It is looked for as it stands, and with the turns that are tried where
nothing is found. Of those found, what the model has right: of the face as it is in the data set; cut about its box;
with faces on their side or head turned by quarters, as the project does; and turned by the angle of its landmarks.

The photographs are turned by quarters: how many faces are found as they stand and with the turns, and the CPU time.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import time

import cv2
import numpy as np

from emotion_faces import local_server, shipped
from emotion_faces.annotate.image import read_picture
from emotion_faces.faces.any_turn import AnyTurn
from emotion_faces.faces.crop import FACE_SIZE_PX, crop_faces, square_around
from emotion_faces.faces.detector import CenterFace, FaceBox
from emotion_faces.faces.quality import roll_of

ANGLES = (0, 15, 30, 90, 180)
SIDE_PX = 96
MARGIN_PX = 80


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=pathlib.Path, required=True)
    parser.add_argument("--photographs", type=pathlib.Path, nargs="*", default=())
    parser.add_argument("--step", type=int, default=18, help="take every n-th image")
    parser.add_argument("--model", help="one of the models that come along")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    detector = CenterFace()
    for path in args.photographs:
        _print_photograph(path, detector)
    files = sorted(args.faces.rglob("*.jpg"))[:: args.step]
    faces = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in files]
    labels = np.array([path.parent.name for path in files])
    with local_server.connect(model_dir=shipped.find_model(args.model).folder) as model:
        print(f"{len(files)} faces")
        print("turned  at once  with turns  as it is    by box  by quarters  by landmarks")
        for angle in ANGLES:
            signs = [angle if index % 2 else -angle for index in range(len(faces))]
            scenes = [scene(face, sign) for face, sign in zip(faces, signs, strict=True)]
            at_once = sum(_middle_one(detector(one)) is not None for one in scenes)
            found = [_middle_one(AnyTurn(detector)(one)) for one in scenes]
            rows = [index for index, box in enumerate(found) if box]
            pairs = [(scenes[i], found[i]) for i in rows]
            crops = (
                [faces[i][..., np.newaxis] / np.float32(255) for i in rows],
                [crop_faces(one, [dataclasses.replace(b, landmarks=())])[0] for one, b in pairs],
                [crop_faces(one, [b])[0] for one, b in pairs],
                [_aligned(one, b) for one, b in pairs],
            )
            right = [
                np.mean([a.label for a in model.predict_pixels(np.array(one))] == labels[rows])
                for one in crops
            ]
            print(
                f"{angle:5}°{at_once:9}{len(rows):12}{right[0]:10.3f}{right[1]:10.3f}{right[2]:13.3f}"
                f"{right[3]:14.3f}",
                flush=True,
            )


def scene(face: np.ndarray, angle: float) -> np.ndarray:
    """Returns uint8 RGB [256, 256, 3] with the face turned by degrees against the clock in its middle."""
    large = cv2.resize(face, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
    canvas = cv2.copyMakeBorder(large, *(MARGIN_PX,) * 4, cv2.BORDER_REPLICATE)
    side = len(canvas)
    turn = cv2.getRotationMatrix2D(((side - 1) / 2,) * 2, angle, 1)
    canvas = cv2.warpAffine(canvas, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return np.repeat(canvas[:, :, np.newaxis], 3, axis=2)


def _middle_one(boxes: list[FaceBox]) -> FaceBox | None:
    middle = MARGIN_PX + SIDE_PX / 2
    for box in boxes:
        x, y = box.left + box.width / 2 - middle, box.top + box.height / 2 - middle
        if max(abs(x), abs(y)) < SIDE_PX / 4:
            return box
    return None


def _aligned(image: np.ndarray, box: FaceBox) -> np.ndarray:
    """Returns float32 [48, 48, 1], the box's square turned about its middle until the face stands."""
    left, top, side = square_around(box)
    middle = (left + (side - 1) / 2, top + (side - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, roll_of(box.landmarks), 1)
    turn[:, 2] -= (left, top)
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    square = cv2.warpAffine(gray, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(square, (FACE_SIZE_PX, FACE_SIZE_PX), interpolation=cv2.INTER_AREA)
    return small[:, :, np.newaxis] / np.float32(255)


def _print_photograph(path: pathlib.Path, detector: CenterFace) -> None:
    image = read_picture(path)
    for turn in range(4):
        turned = np.ascontiguousarray(np.rot90(image, turn))
        told = []
        for one in (detector, AnyTurn(detector)):
            start = time.process_time()
            found = len(one(turned))
            told.append(f"{found} faces in {time.process_time() - start:.2f} s")
        print(f"{path.name} turned by {90 * turn}°: {told[0]}; with turns {told[1]}", flush=True)


if __name__ == "__main__":
    main()
